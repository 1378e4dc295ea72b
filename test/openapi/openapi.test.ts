/**
 * The document at /openapi.json against a running gateway: requests that schemathesis makes up from it, right and wrong
 * ones, for two minutes in all.
 */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type People, type Person, startPeople } from '../support/people.ts'
import { temporaryFolder } from '../support/stores.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'
import { SCHEMATHESIS } from './install.ts'

const SECONDS = 60
const folder = temporaryFolder()
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'valid_data_is_accepted',
]
/** They end the session that all other requests are made in, switch the only backend off, or have an answer without an end. */
const LEFT_OUT = '^/api/auth/logout|^/admin/api/backends/\\{name\\}$|^/admin/api/live$'

const Document = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.record(z.string(), z.unknown()),
})

describe('the OpenAPI document', () => {
  let upstream: FakeUpstream
  let people: People
  let gateway: TestGateway
  beforeAll(async () => {
    upstream = await startUpstream()
    people = await startPeople()
    gateway = await startGateway({
      backends: [{ name: 'a', url: upstream.url }],
      auth: { send_code_url: people.url },
    })
  })
  afterAll(async () => {
    await gateway?.stop()
    await people?.stop()
    await upstream?.stop()
    folder.remove()
  })

  test.each(['user', 'admin'] as const)('holds for a%s', async (role) => {
    const person = await people.signIn(gateway, `${role}@example.com`, role)
    const document = await documentFor(person)
    // An administrator who is taken away by a request of their own is put back by nobody.
    if (role === 'admin') await people.signIn(gateway, 'another@example.com', 'admin')
    const { key } = (await person.post('/api/keys', { name: 'made-up requests' })).body.key
    const { code, output } = await schemathesis({ document, url: gateway.url, person, key })
    expect(output).toContain('Test cases')
    expect(code === 0 ? '' : output).toBe('')
    expect((await person.get('/api/auth/me')).status).toBe(200)
  })
})

/** A file of the document without its security: every request is made signed in, by headers that are always sent. */
async function documentFor(person: Person): Promise<string> {
  const { components, ...document } = Document.parse((await person.get('/openapi.json')).body)
  const { securitySchemes: _, ...rest } = components
  for (const operations of Object.values(document.paths)) {
    for (const operation of Object.values(operations)) Reflect.deleteProperty(Object(operation), 'security')
  }
  const file = join(folder.path, 'openapi.json')
  writeFileSync(file, JSON.stringify({ ...document, components: rest }))
  return file
}

function schemathesis(parts: { document: string; url: string; person: Person; key: string }) {
  const { document, url, person, key } = parts
  const cookie = [...person.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const headers = { cookie, origin: url, 'x-api-key': key }
  const args = [
    'run',
    document,
    ...['--url', url],
    ...Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}:${value}`]),
    ...['--checks', CHECKS.join(',')],
    ...['--exclude-path-regex', LEFT_OUT],
    ...['--max-time', String(SECONDS), '--seed', '1', '--warnings', 'off', '--no-color'],
  ]
  return new Promise<{ code: number; output: string }>((resolve) => {
    // It remembers what failed in the folder that it runs in.
    execFile(
      SCHEMATHESIS,
      args,
      {
        cwd: folder.path,
        env: { ...process.env, SCHEMATHESIS_HOOKS: join(import.meta.dirname, 'checks.py') },
        maxBuffer: 64 * 1024 * 1024,
      },
      (cause, stdout, stderr) => {
        resolve({ code: cause ? 1 : 0, output: stdout + stderr })
      },
    )
  })
}
