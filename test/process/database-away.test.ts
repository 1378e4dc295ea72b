/** What becomes of people, and of the log, while the database cannot be reached. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHrana } from '../support/hrana.ts'
import { temporaryFolder } from '../support/stores.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const PERSON = 'ann@example.com'

let upstream: FakeUpstream
let gateway: TestGateway | undefined
beforeEach(async () => {
  upstream = await startUpstream()
})
afterEach(async () => {
  await gateway?.stop()
  await upstream.stop()
})

const askForCode = (url: string) =>
  fetch(`${url}/api/auth/send-code`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ itcode: PERSON }),
  })

async function expectUnavailable(answer: Response) {
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
  expect(await answer.json()).toMatchObject({ error: { code: 'database_unavailable' } })
}

test('who signs in while another process locks the database is told when to try again', async () => {
  gateway = await startGateway({ backends: [{ name: 'a', url: upstream.url }] })
  const { file } = (await gateway.db.get<{ file: string }>(sql`pragma database_list`)) ?? { file: '' }
  const holder = fork(join(import.meta.dirname, '../support/hold-process.ts'), [file, '60000'])
  await once(holder, 'message')
  await expectUnavailable(await askForCode(gateway.url))
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  expect((await askForCode(gateway.url)).status).toBe(200)
}, 40_000)

test('a libSQL server that is away is named with the cause, once, and no person is in the log', async () => {
  const folder = temporaryFolder()
  const hrana = await startHrana(join(folder.path, 'server.db'))
  gateway = await startGateway({
    backends: [{ name: 'a', url: upstream.url }],
    database: { url: hrana.url, auth_token: hrana.token },
  })
  const before = gateway.output().length
  await hrana.stop()
  await expectUnavailable(await askForCode(gateway.url))
  const lines = () => gateway?.output().slice(before).trim().split('\n') ?? []
  // Tasks are tried every half second; the ledger's every second.
  await expect.poll(() => lines().length, { timeout: 5_000 }).toBeGreaterThan(1)
  for (let i = 0; i < 4; i++) await expectUnavailable(await askForCode(gateway.url))
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  const told = lines().map((line) => line.replace(/"time":"[^"]+"/, ''))
  expect(told.length).toBe(new Set(told).size)
  expect(told.filter((line) => !line.includes('"level":"info"'))).toSatisfy((errors: string[]) =>
    errors.every((line) => line.includes(hrana.url) && line.includes('ECONNREFUSED')),
  )
  expect(told.join()).not.toContain(PERSON)
  await expect(gateway.restart()).rejects.toThrow(
    `The database at ${hrana.url} cannot be reached: connect ECONNREFUSED`,
  )
  folder.remove()
}, 60_000)
