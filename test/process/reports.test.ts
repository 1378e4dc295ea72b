/** What somebody reads on the dashboard of a real gateway, and the calls of others beside it. */
import { type IncomingMessage, request } from 'node:http'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { fillUsage } from '../support/million.ts'
import { type People, type Person, startPeople } from '../support/people.ts'
import { type FakeUpstream, messageStream, sse, startUpstream } from '../support/upstream.ts'

/** More than the sockets between the gateway and a reader take. */
const CALLS = 100_000
const EVENTS = 4_000
/** Reports and exports have a low priority, so that they wait long on a machine that is busy with other tests. */
const SLOW_MS = 180_000
/** The report reads all of them, which takes as long as hundreds of events. */
const AUDITED = 300_000

let upstream: FakeUpstream
let people: People
let gateway: TestGateway
let admin: Person
beforeAll(async () => {
  upstream = await startUpstream()
  people = await startPeople()
  const { url } = people
  gateway = await startGateway({
    backends: [{ name: 'a', url: upstream.url }],
    auth: { send_code_url: url },
  })
  admin = await people.signIn(gateway, 'root@example.com', 'admin')
  await fillUsage(gateway.db, CALLS)
  const fillAudit = () =>
    gateway.db.run(sql`insert into audit_events (at, action, target)
    with recursive n (i) as (select 1 union all select i + 1 from n where i < ${AUDITED}) select i, 'login.ok', 'x' from n`)
  // On a slow disk the gateway still writes a million calls into the database file, for longer than a statement waits.
  await fillAudit().catch(fillAudit)
  // What was filled in goes into the file now, instead of while the gateway is asked.
  await gateway.db.run(sql`pragma wal_checkpoint(truncate)`)
}, 120_000)
afterAll(async () => {
  await gateway?.stop()
  await people?.stop()
  await upstream?.stop()
})

/** An answer of which the headers are read and nothing else. */
async function stalled(path: string) {
  const answered = Promise.withResolvers<IncomingMessage>()
  request(
    `${gateway.url}${path}`,
    { headers: { cookie: [...admin.cookies].map(([name, value]) => `${name}=${value}`).join('; ') } },
    answered.resolve,
  )
    .on('error', answered.reject)
    .end()
  const answer = await answered.promise
  answer.pause()
  return answer
}

test(
  'a stream goes on event by event while a report reads 300,000 rows and the reader of an export has stopped',
  async () => {
    const file = await stalled('/admin/api/usage/export')
    const received = Array.from({ length: EVENTS }, () => Promise.withResolvers<void>())
    const delta = sse({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'x' } })
    const [start = '', opened = ''] = messageStream()
    upstream.answerNext({
      chunks: [start, opened, ...received.flatMap(({ promise }) => [delta, promise])],
      end: 'hang',
    })
    const left = new AbortController()
    const body = { model: 'claude-opus-5-5', max_tokens: 9, stream: true, messages: [] }
    const call = await gateway.send(body, { signal: left.signal })
    let events = 0
    const reading = (async () => {
      const decoder = new TextDecoder()
      for await (const chunk of call.body ?? []) {
        for (const _ of decoder.decode(chunk).matchAll(/text_delta/g)) received[events++]?.resolve()
      }
    })().catch(() => {})
    await expect.poll(() => events).toBeGreaterThan(10)
    const before = events
    const read = () => admin.get(`/admin/api/audit?page=${AUDITED / 50 - 1}&page_size=50`)
    let page = await read()
    // What was filled in may still be on its way into the file, for longer than a report waits.
    while (page.status === 503) page = await read()
    expect([page.status, page.body.events.length]).toEqual([200, 50])
    expect(events - before).toBeGreaterThan(40)
    let lines = 0
    for await (const piece of file) lines += String(piece).split('\n').length - 1
    expect(lines).toBe(CALLS + 1)
    left.abort()
    await reading
  },
  SLOW_MS,
)
