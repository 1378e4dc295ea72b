/** Calls that end in every way, over a kill -9 and a restart: what is booked of them, shown everywhere and counts against limits. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { usageLogs } from '../../core/db/schema.ts'
import { repairSums } from '../../core/reports/repair.ts'
import { expectShown, microsOf, type Row } from '../support/books.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type People, type Person, startPeople } from '../support/people.ts'
import {
  anyPlan,
  leavesAt,
  MULTIPLIERS,
  type Plan,
  PRICES,
  playPlans,
  recordOf,
  requestOf,
} from '../support/planned-calls.ts'
import { freePort } from '../support/ports.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

/** Fewer of a person than the projects that are told apart, because each is found by its own. */
const CALLS = 40
const AT_ONCE = 4
const TOKEN = '0123456789abcdef0123456789abcdef'
const ORDINARY: Plan = {
  who: 0,
  kind: 'messages',
  stream: true,
  model: 'claude-opus-5-5',
  faults: [],
  ending: 'ok',
  pieces: 2,
  usage: { input: 10, output: 20, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 },
}

const upstreams = new Map<string, FakeUpstream>()
const plans = new Map<string, Plan>()
/** Calls that were under way when the process ended. */
const interrupted = new Set<string>()
let askedFor: ReturnType<typeof playPlans>
let people: People
let gateway: TestGateway
let boss: Person
let callers: { userId: number; keyId: number; secret: string }[]
let company: number
let team: number

beforeAll(async () => {
  people = await startPeople()
  for (const name of ['a', 'b']) upstreams.set(name, await startUpstream())
  askedFor = playPlans(upstreams, plans)
  gateway = await startGateway({
    backends: [...upstreams].map(([name, { url }]) => ({ name, url, price_multiplier: MULTIPLIERS[name] })),
    pricing: PRICES,
    auth: { send_code_url: people.url },
    limits: { default_budget_usd: 0 },
    metrics: { token: TOKEN },
    // A session is of one port.
    server: { port: await freePort(), host: '127.0.0.1', drain_delay: 0, drain_timeout: '1s' },
  })
  boss = await people.signIn(gateway, 'boss@example.com', 'admin')
  const newGroup = async (name: string, given: object): Promise<number> =>
    (await boss.post('/admin/api/groups', { name, bills: true, ...given })).body.group.id
  company = await newGroup('company', {})
  team = await newGroup('team', { parent_id: company })
  callers = await Promise.all(Array.from({ length: 4 }, () => gateway.newKey()))
  for (const { userId } of callers.slice(0, 2)) {
    await boss.put(`/admin/api/groups/${team}/members/${userId}`, {})
  }
})
afterAll(async () => {
  await gateway?.stop()
  await people?.stop()
  for (const upstream of upstreams.values()) await upstream.stop()
})

/** Plays a call until it is over. `halfway` is called where its client is to leave. */
async function play(plan: Plan, halfway = (leave: () => void) => leave()): Promise<void> {
  const name = `plan-${plans.size}`
  plans.set(name, plan)
  const leaving = new AbortController()
  const { path, body } = requestOf(plan, name)
  const answer = await gateway.send(body, {
    path,
    key: callers[plan.who]?.secret ?? '',
    headers: { 'x-claude-gateway-project': name },
    signal: leaving.signal,
  })
  const until = leavesAt(plan)
  let text = ''
  try {
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString()
      if (until !== undefined && text.includes(until)) halfway(() => leaving.abort())
    }
  } catch {
    // It left, or was cut.
  }
}

async function playAll(seed: number) {
  const left = fc.sample(anyPlan, { numRuns: CALLS, seed })
  const caller = async () => {
    for (let plan = left.pop(); plan; plan = left.pop()) await play(plan)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, caller))
}

const rowsNow = () => gateway.db.select().from(usageLogs).orderBy(usageLogs.id)
const ofPlan = ({ outcome, estimated, backend, attempts, ...row }: Row) => ({
  outcome,
  estimated,
  input: row.inputTokens,
  output: row.outputTokens,
  cacheRead: row.cacheReadTokens,
  cacheWrite5m: row.cacheWrite5mTokens,
  cacheWrite1h: row.cacheWrite1hTokens,
  backend,
  attempts,
  cost: row.costMicros,
})

/** The log has every call once, as it was planned, sums are those of the log, and nothing is under way. */
async function expectBooked() {
  const metered = [...plans].filter(([, { kind }]) => kind !== 'count')
  const planned = async () => (await rowsNow()).filter(({ project }) => project !== '')
  await expect.poll(async () => (await planned()).length).toBe(metered.length)
  const wanted = metered.map(([name, plan]) => {
    const record = recordOf(plan, askedFor(name))
    return [name, interrupted.has(name) ? { ...record, outcome: 'interrupted' } : record]
  })
  const found = (await planned()).map((row) => [row.project, ofPlan(row)] as const)
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(wanted))
  await expect.poll(inFlight).toEqual(['0', '0', '0'])
  expect(await repairSums(gateway.db, 0)).toBe(false)
}

async function inFlight() {
  const answer = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })
  return [...(await answer.text()).matchAll(/^claude_gateway_\S*calls_in_flight\S* (.*)$/gm)].map(
    ([, calls]) => calls,
  )
}

/** A limit of what is used already refuses the next call, and one that is a micro-dollar higher does not. */
async function expectLimits() {
  const [{ userId, keyId } = { userId: 0, keyId: 0 }] = callers
  const spend = (scope: string, scope_id: number) => (micros: number | null) =>
    boss.put('/admin/api/limits', {
      scope,
      scope_id,
      period: 'monthly',
      amount_usd: micros === null ? null : micros / 1e6,
    })
  const ofKey = (micros: number | null) =>
    boss.put(`/admin/api/keys/${keyId}`, { budget_usd: (micros ?? 0) / 1e6 })
  const inTeam = (row: Row) => row.billingGroupId === team
  const limits: [set: (micros: number | null) => Promise<unknown>, counts: (row: Row) => boolean][] = [
    [spend('user', userId), (row) => row.userId === userId],
    [ofKey, (row) => row.apiKeyId === keyId],
    [spend('group_pool', team), inTeam],
    [spend('group_pool', company), inTeam],
    [spend('organisation_pool', 0), () => true],
  ]
  for (const [set, counts] of limits) {
    const around = async () => {
      const used = microsOf((await rowsNow()).filter(counts))
      await set(used)
      const refused = await status()
      await set(used + 1)
      return [refused, await status()]
    }
    // Rows of calls that just ended are on their way.
    await expect.poll(around).toEqual([429, 200])
    await set(null)
  }
}

async function status(): Promise<number> {
  const { path, body } = requestOf(ORDINARY, 'no plan')
  const answer = await gateway.send(body, { path, key: callers[0]?.secret ?? '' })
  await answer.text()
  return answer.status
}

/** Streams that wait for the rest of their answer, from a backend that the failures before have not put out of use. */
async function beginStreams(endings: readonly Plan['ending'][]) {
  for (const ending of endings) {
    const begin = async () => {
      const name = `plan-${plans.size}`
      const halfway = Promise.withResolvers<boolean>()
      const over = play({ ...ORDINARY, ending }, () => halfway.resolve(true)).then(() => false)
      const begun = await Promise.race([halfway.promise, over])
      if (begun) interrupted.add(name)
      return begun
    }
    await expect.poll(begin).toBe(true)
  }
}

test('whole or streamed, failed over, refused, cut and left', async () => {
  const counts = ({ secret }: { secret: string }) =>
    gateway.send({ model: ORDINARY.model, messages: [] }, { path: '/v1/messages/count_tokens', key: secret })
  await expect.poll(async () => (await Promise.all(callers.map(counts))).every(({ ok }) => ok)).toBe(true)
  await playAll(1)
  await expectBooked()
  await expectLimits()
})

test('when the gateway is killed', async () => {
  await beginStreams(['leaves after usage', 'leaves after usage'])
  await gateway.end('SIGKILL')
  await gateway.restart()
  await expectLimits()
  await playAll(2)
  await expectBooked()
})

test('when the gateway is stopped', async () => {
  await beginStreams(['leaves', 'leaves after usage'])
  await gateway.restart()
  await expectBooked()
  await expectLimits()
  await playAll(3)
  await expectBooked()
  await expectShown(boss, await rowsNow())
})
