/** What calls and streams of others notice while somebody exports usage or changes keys on the same gateway. */
import { eq } from 'drizzle-orm'
import { apiKeys, users } from '../../../core/db/schema.ts'
import type { Db } from '../../../core/ports.ts'
import { fillUsage } from '../../support/million.ts'
import { startPeople } from '../../support/people.ts'
import { median, quantile } from '../measure.ts'
import { byTurns, type Metrics } from '../rounds.ts'
import type { Scenario } from '../scenario.ts'
import type { Gateway, Stage } from '../stage.ts'

const TRAFFIC_MS = 3_000
const GAP_MS = 10
const CHANGE_EVERY_MS = 500
const BATCH = 500

async function traffic(stage: Stage, target: Gateway): Promise<Metrics> {
  const streams = { count: 10, events: Math.floor(TRAFFIC_MS / GAP_MS), gapMs: GAP_MS }
  const done = await stage.load({ kind: 'traffic', target, ms: TRAFFIC_MS, parallel: 4, streams })
  return {
    p50_ms: median(done.callMs),
    p99_ms: quantile(done.callMs, 0.99),
    calls_a_second: (1_000 * done.callMs.length) / TRAFFIC_MS,
    stream_delay_p99_ms: quantile(done.gapMs, 0.99) - GAP_MS,
    stream_longest_delay_ms: Math.max(...done.gapMs) - GAP_MS,
  }
}

/** `busy` does its work until the signal aborts. */
async function alone(stage: Stage, gateway: Gateway, busy: (over: AbortSignal) => Promise<void>) {
  return {
    alone: () => traffic(stage, gateway),
    async beside() {
      const over = new AbortController()
      const work = busy(over.signal)
      const metrics = await traffic(stage, gateway)
      over.abort()
      await work
      return metrics
    },
  }
}

const exports: Scenario = {
  about: 'small calls and streams of others, alone and beside exports of a log of 200,000 calls',
  ratios: [['beside', 'alone']],
  async run(stage, scale) {
    const people = await startPeople()
    const auth = { auth: { send_code_url: people.url, allowed_domains: [] } }
    const subject = await stage.startGateway(auth)
    await fillUsage(subject.gateway.db, scale.share(200_000))
    const admin = await people.signIn(subject.gateway, 'export-admin', 'admin')
    const exportAgain = async (over: AbortSignal) => {
      while (!over.aborted) await admin.get('/admin/api/usage/export')
    }
    const rounds = await byTurns(await alone(stage, subject, exportAgain), scale)
    await people.stop()
    return rounds
  },
}

/** As many people, each with a key. */
async function fillKeys(db: Db, count: number): Promise<void> {
  const times = { createdAt: 1, updatedAt: 1 }
  const each = <T>(make: (i: number) => T, from: number) =>
    Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => make(from + i))
  for (let from = 0; from < count; from += BATCH) {
    const person = (i: number) =>
      ({ itcode: `many-${i}`, name: '', role: 'user', status: 'active', ...times }) as const
    const made = await db.insert(users).values(each(person, from)).returning({ id: users.id })
    await db.insert(apiKeys).values(
      made.map(({ id: userId }) => {
        const hash = userId.toString(16).padStart(64, '0')
        return {
          userId,
          name: 'k',
          hash,
          prefix: 'sk-aaaa',
          last4: 'aaaa',
          status: 'active',
          ...times,
        } as const
      }),
    )
  }
}

const keys: Scenario = {
  about: 'small calls and streams of others, alone and beside changes of one of 10,000 keys, two a second',
  ratios: [['beside', 'alone']],
  async run(stage, scale) {
    const subject = await stage.startGateway()
    const { db } = subject.gateway
    await fillKeys(db, scale.share(10_000))
    const { keyId } = await subject.gateway.newKey()
    let changes = 0
    const change = async (over: AbortSignal) => {
      while (!over.aborted) {
        await db
          .update(apiKeys)
          .set({ name: `change ${changes++}` })
          .where(eq(apiKeys.id, keyId))
        await new Promise((resolve) => setTimeout(resolve, CHANGE_EVERY_MS))
      }
    }
    return byTurns(await alone(stage, subject, change), scale)
  },
}

export const BESIDE: Readonly<Record<string, Scenario>> = { export: exports, keys }
