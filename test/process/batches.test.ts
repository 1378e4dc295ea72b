/** A large batch while the gateway is killed and its upstream crashes: before, while and after its results are booked. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { eq, sum } from 'drizzle-orm'
import { afterEach, beforeEach, expect, test } from 'vitest'
import * as z from 'zod'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { batches } from '../../core/db/batches.ts'
import { limitSpent, usageLogs } from '../../core/db/schema.ts'
import { createPeriods } from '../../core/limits/period.ts'
import { repairSpent } from '../../core/reports/repair-groups.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'

const REQUESTS = 1_000
const List = z.object({ data: z.array(z.object({ id: z.string() })) })
const BATCHES = '/v1/messages/batches'
/** The task that books looks every 5 s. */
const BOOKING = { timeout: 30_000 }

const textOf = (i: number) => (i % 10 === 3 ? '[errored]' : i % 10 === 7 ? '[expired]' : 'answered.')
const paramsOf = (i: number) => ({
  model: 'claude-opus-5-5',
  max_tokens: 100,
  messages: [{ role: 'user', content: textOf(i) }],
})
const ids = Array.from({ length: REQUESTS }, (_, i) => `r-${i}`)
const answered = ids.filter((_, i) => textOf(i) === 'answered.')

/** A tunnel to the upstream that stops handing on after so many bytes of its answers. */
async function startTunnel(port: () => number) {
  const sockets = new Set<Socket>()
  let left = Number.POSITIVE_INFINITY
  const server = createServer((client) => {
    const upstream = connect(port(), '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    upstream.on('data', (data) => {
      client.write(data.subarray(0, Math.max(left, 0)))
      left -= data.length
      if (left <= 0) upstream.pause()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    /** New connections hand on `bytes` of answers altogether. */
    letThrough(bytes: number) {
      for (const socket of sockets) socket.destroy()
      sockets.clear()
      left = bytes
    },
    async stop() {
      this.letThrough(0)
      server.close()
    },
  }
}

let claude: SimulatedClaude
let tunnel: Awaited<ReturnType<typeof startTunnel>>
let gateway: TestGateway

beforeEach(async () => {
  const port = await freePort()
  claude = await startSimulatedClaude({ pace: 0, port })
  claude.account.batches.running = false
  tunnel = await startTunnel(() => port)
  gateway = await startGateway({ backends: [{ name: 'a', url: tunnel.url, api_key: 'sim-a' }] })
})
afterEach(async () => {
  await gateway.stop()
  await tunnel.stop()
  await claude.stop()
})

const straight = (path: string) =>
  fetch(claude.url + path, { headers: { 'x-api-key': 'sim-a', connection: 'close' } })
const kill = async () => {
  await gateway.end('SIGKILL')
  await gateway.restart()
}
const crash = async () => {
  const { account, url } = claude
  tunnel.letThrough(0)
  await claude.stop()
  claude = await startSimulatedClaude({ pace: 0, port: Number(new URL(url).port), account })
}
/** The task looks at once. */
const lookNow = () => gateway.db.update(batches).set({ checkAt: 0 })
const booked = () => gateway.db.$count(usageLogs)
const state = async () => (await gateway.db.select().from(batches))[0]?.state

test('a batch of 1,000 is booked once each at half price, whoever crashes in the midst of it', async () => {
  // Its answer never comes, and the gateway dies while it waits.
  tunnel.letThrough(0)
  const requests = ids.map((custom_id, i) => ({ custom_id, params: paramsOf(i) }))
  const creating = gateway.send({ requests }, { path: BATCHES }).catch(() => undefined)
  const listed = async () => List.parse(await (await straight(BATCHES)).json()).data
  await expect.poll(async () => (await listed()).length, BOOKING).toBe(1)
  await kill()
  expect([await creating, await state()]).toEqual([undefined, 'sending'])

  await crash()
  claude.account.batches.running = true
  const [{ id } = { id: '' }] = await listed()
  const results = await (await straight(`${BATCHES}/${id}/results`)).text()
  // They are read once to know the batch by them, and once to book them: each time it gets further.
  tunnel.letThrough(results.length * 1.4)
  await lookNow()
  await expect.poll(booked, BOOKING).toBeGreaterThanOrEqual(200)
  await kill()
  const afterKill = await booked()
  expect([await state(), afterKill < answered.length]).toEqual(['open', true])

  tunnel.letThrough(results.length * 0.8)
  await lookNow()
  await expect.poll(booked, BOOKING).toBeGreaterThan(afterKill)
  await crash()
  await expect.poll(() => gateway.output(), BOOKING).toContain('batch.not_booked')
  expect([await state(), (await booked()) < answered.length]).toEqual(['open', true])

  tunnel.letThrough(Number.POSITIVE_INFINITY)
  await lookNow()
  await expect.poll(state, BOOKING).toBe('booked')
  await kill()
  const headers = { 'x-api-key': gateway.key }
  const told = await fetch(`${gateway.url}${BATCHES}/${id}/results`, { headers })
  expect(await told.text()).toBe(results)
  await expectBooks(id)
}, 240_000)

async function expectBooks(id: string) {
  const { db } = gateway
  const rows = await db.select().from(usageLogs)
  expect(rows.map(({ requestId }) => requestId).sort()).toEqual(answered.map((one) => `${id}:${one}`).sort())
  const spent = await db
    .select({ micros: limitSpent.micros })
    .from(limitSpent)
    .where(eq(limitSpent.owner, `user:${rows[0]?.userId}`))
  const [used] = await db.select({ micros: sum(usageLogs.costMicros).mapWith(Number) }).from(usageLogs)
  expect(new Set(spent.map(({ micros }) => micros))).toEqual(new Set([used?.micros]))
  expect(await repairSpent(db, createPeriods('UTC'), Date.now())).toBe(false)
  // What the same request costs as a message.
  const full = await gateway.rowOf(await gateway.send(paramsOf(0)))
  const half = { costMicros: Math.round(full.costMicros / 2), outputTokens: full.outputTokens }
  for (const { costMicros, outputTokens } of rows) expect({ costMicros, outputTokens }).toEqual(half)
}
