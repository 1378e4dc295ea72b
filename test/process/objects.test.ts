/** What an answer made is known after any end of the process, and a new release says what it refuses from now on. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterEach, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
const TOOLS = [{ type: 'code_execution_20250825', name: 'code_execution' }]
const SAID = '"objects.unknown_refused"'

const open: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop()
})
const accounts = async (): Promise<FakeUpstream[]> => {
  const started = await Promise.all(['a', 'b'].map(startUpstream))
  open.push(...started)
  started.forEach((account, i) => {
    const container = { id: `container_${i}`, expires_at: '2099-01-01T00:00:00Z' }
    const body = JSON.stringify({ ...JSON.parse(messageJson()), container })
    account.answer({ headers: { 'content-type': 'application/json' }, chunks: [body] })
  })
  return started
}
const gatewayOf = async (upstreams: FakeUpstream[], settings: object = {}): Promise<TestGateway> => {
  const backends = upstreams.map(({ url }, i) => ({ name: 'ab'[i] ?? '', url, weight: 1 }))
  const gateway = await startGateway({ ...settings, backends })
  open.unshift(gateway)
  return gateway
}

test('a container is found again though the process was killed before its row was written', async () => {
  const upstreams = await accounts()
  const gateway = await gatewayOf(upstreams)
  const path = join(gateway.configPath, '../data/gateway.db')
  const holder = fork(join(import.meta.dirname, '../support/hold-process.ts'), [path, '60000'])
  await once(holder, 'message')
  const answer = await gateway.send({ ...ASK, tools: TOOLS })
  const { container } = JSON.parse(await answer.text())
  await gateway.end('SIGKILL')
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  const rows = await gateway.db.all(sql`select id from upstream_objects`)
  expect(rows).toEqual([])

  await gateway.restart()
  for (let i = 0; i < 5; i++) {
    const again = await gateway.send({
      ...ASK,
      container: container.id,
      messages: [{ role: 'user', content: `${i}` }],
    })
    expect([again.status, JSON.parse(await again.text()).container.id]).toEqual([200, container.id])
  }
}, 30_000)

test('a start after the upgrade says once what is refused from now on', async () => {
  const gateway = await gatewayOf(await accounts())
  expect(gateway.output()).not.toContain(SAID)
  await gateway.end('SIGTERM')
  await gateway.db.run(sql`drop table upstream_objects`)
  await gateway.db.run(sql`delete from d1_migrations where name like '%upstream_objects%'`)
  await gateway.restart()
  expect(gateway.output()).toMatch(
    /"level":"warn","event":"objects.unknown_refused",.*objects\.unknown.*objects adopt/,
  )
  await gateway.restart()
  expect(gateway.output().split(SAID)).toHaveLength(2)
}, 30_000)

test('unknown ids pass where the operator says so, and go where the conversation goes', async () => {
  const gateway = await gatewayOf(await accounts(), { objects: { unknown: 'pass' } })
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => gateway.send({ ...ASK, container: 'container_elsewhere' })),
  )
  const found = await Promise.all(
    answers.map(async (answer) => JSON.parse(await answer.text()).container?.id),
  )
  expect([...new Set(answers.map(({ status }) => status)), new Set(found).size]).toEqual([200, 1])
}, 30_000)
