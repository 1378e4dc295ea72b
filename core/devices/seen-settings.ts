/** Which managed settings devices say they run with. They may say so with each call, so that it is remembered and seldom written. */
import { sql } from 'drizzle-orm'
import { apiKeys, deviceSettings } from '../db/schema.ts'
import { createOutage } from '../outage.ts'
import type { Clock, Db, Logger } from '../ports.ts'
import { MINUTE_MS } from '../units.ts'

const CHECKSUM = /^sha256:[0-9a-f]{64}$/
const MOST_KNOWN = 20_000
/** Terminals of one device may run with different settings, and say so by turns. */
const EVERY_MS = MINUTE_MS

interface Parts {
  db: Db
  clock: Clock
  logger: Logger
  waitUntil(work: Promise<unknown>): void
}

/** The returned function is told what a device says; what is no checksum is ignored. */
export function createSeenSettings(parts: Parts): (deviceId: number, checksum: string) => void {
  const { clock, logger, waitUntil } = parts
  const known = new Map<number, { checksum: string; at: number }>()
  const waiting = new Map<number, string>()
  const events = { failed: 'device_settings.not_written', worksAgain: 'device_settings.written_again' }
  const outage = createOutage(logger, events)
  let writing = false

  async function writeAll() {
    await Promise.resolve()
    while (waiting.size > 0) {
      const some = [...waiting]
      await write(parts, some)
      for (const [id, checksum] of some) if (waiting.get(id) === checksum) waiting.delete(id)
      outage.worked()
    }
  }
  return (deviceId, checksum) => {
    const now = clock.elapsed()
    const before = known.get(deviceId)
    if (before?.checksum === checksum || (before && now - before.at < EVERY_MS)) return
    if (!CHECKSUM.test(checksum)) return
    const oldest = known.size >= MOST_KNOWN ? known.keys().next().value : undefined
    if (oldest !== undefined) {
      known.delete(oldest)
      waiting.delete(oldest)
    }
    known.set(deviceId, { checksum, at: now })
    waiting.set(deviceId, checksum)
    if (writing) return
    writing = true
    const ended = writeAll()
      .catch(outage.failed)
      .finally(() => {
        writing = false
      })
    waitUntil(ended)
  }
}

/** Keys that are no devices are left out. */
async function write({ db, clock }: Parts, seen: readonly (readonly [id: number, checksum: string])[]) {
  await db.run(sql`insert into ${deviceSettings} (device_id, checksum, since)
    select ${apiKeys.id}, value->>1, ${clock.now()} from json_each(${JSON.stringify(seen)})
    join ${apiKeys} on ${apiKeys.id} = value->>0 where ${apiKeys.kind} = 'device'
    on conflict (device_id) do update set checksum = excluded.checksum, since = excluded.since
    where checksum <> excluded.checksum`)
}
