/** Which managed settings devices say they run with. They may say so with each call. */
import { sql } from 'drizzle-orm'
import { apiKeys, deviceSettings } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import { type SeldomParts, seldomWritten } from '../seldom-written.ts'
import { MINUTE_MS } from '../units.ts'

const CHECKSUM = /^sha256:[0-9a-f]{64}$/

/** The returned function is told what a device says; what is no checksum is ignored. */
export function createSeenSettings(
  parts: SeldomParts & { db: Db },
): (deviceId: number, checksum: string) => void {
  const { db, clock } = parts
  return seldomWritten<string>(parts, {
    most: 20_000,
    // Terminals of one device may run with different settings, and say so by turns.
    isNews: (checksum, before, sinceMs) => checksum !== before && sinceMs >= MINUTE_MS,
    isValid: (checksum) => CHECKSUM.test(checksum),
    // Keys that are no devices are left out.
    write: (seen) =>
      db.run(sql`insert into ${deviceSettings} (device_id, checksum, since)
        select ${apiKeys.id}, value->>1, ${clock.now()} from json_each(${JSON.stringify(seen)})
        join ${apiKeys} on ${apiKeys.id} = value->>0 where ${apiKeys.kind} = 'device'
        on conflict (device_id) do update set checksum = excluded.checksum, since = excluded.since
        where checksum <> excluded.checksum`),
    events: { failed: 'device_settings.not_written', worksAgain: 'device_settings.written_again' },
  })
}
