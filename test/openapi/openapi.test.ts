/**
 * The document at /openapi.json against a running gateway: requests that schemathesis makes up from it, right and wrong
 * ones, for most of a minute in all.
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

const SECONDS = 15
const folder = temporaryFolder()
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'valid_data_is_accepted',
]
/**
 * They end the session that all other requests are made in, switch the only backend off, have an answer without an end, are for
 * directories, take whatever comes (telemetry), or need an account that keeps what is made (files, skills, batches).
 */
const LEFT_OUT = [
  '^/api/auth/logout',
  '^/scim/',
  '^/admin/api/backends/\\{name\\}$',
  '^/admin/api/live$',
  '^/v1/(logs|metrics|traces)$',
  '^/v1/(files|skills|messages/batches)',
].join('|')

const Document = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.record(z.string(), z.unknown()),
})

let signedIn: Record<'user' | 'admin' | 'owner', Person>

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
    // Before the made-up requests, among which are more sign-ins than an address may try.
    signedIn = {
      user: await people.signIn(gateway, 'user@example.com', 'user'),
      admin: await people.signIn(gateway, 'admin@example.com', 'admin'),
      owner: await people.signIn(gateway, 'owner@example.com', 'admin'),
    }
  })
  afterAll(async () => {
    await gateway?.stop()
    await people?.stop()
    await upstream?.stop()
    folder.remove()
  })

  test.each(['user', 'admin'] as const)('holds for a%s', async (role) => {
    const person = signedIn[role]
    const document = await documentFor(person)
    const { key } = (await person.post('/api/keys', { name: 'made-up requests' })).body.key
    const { code, output } = await schemathesis({
      document,
      url: gateway.url,
      headers: headersOf(person, key),
    })
    expect(output).toContain('Test cases')
    expect(code === 0 ? '' : output).toBe('')
    expect((await person.get('/api/auth/me')).status).toBe(200)
  })

  test('holds for a program', async () => {
    const person = signedIn.owner
    const made = await person.post('/admin/api/admin-keys', { name: 'made-up requests', scopes: ['write'] })
    const headers = { 'x-api-key': made.body.secret }
    const document = await documentFor(person)
    const asked = { document, url: gateway.url, headers, only: '^/v1/organizations/' }
    const { code, output } = await schemathesis(asked)
    expect(output).toContain('Test cases')
    expect(code === 0 ? '' : output).toBe('')
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

function headersOf(person: Person, key: string) {
  const cookie = [...person.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  return { cookie, 'x-api-key': key }
}

/** `only`: a pattern of paths. */
function schemathesis(parts: {
  document: string
  url: string
  headers: Record<string, string>
  only?: string
}) {
  const { document, url, only } = parts
  const headers = { ...parts.headers, origin: url }
  const args = [
    'run',
    document,
    '--url',
    url,
    ...Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}:${value}`]),
    '--checks',
    CHECKS.join(','),
    ...(only === undefined ? ['--exclude-path-regex', LEFT_OUT] : ['--include-path-regex', only]),
    '--max-time',
    String(SECONDS),
    '--seed',
    '1',
    '--warnings',
    'off',
    '--no-color',
  ]
  return new Promise<{ code: number; output: string }>((resolve) => {
    // It remembers what failed in the folder that it runs in.
    execFile(
      SCHEMATHESIS,
      args,
      {
        cwd: folder.path,
        env: {
          ...process.env,
          SCHEMATHESIS_HOOKS: join(import.meta.dirname, 'checks.py'),
          SENDERS: Object.values(signedIn)
            .map(({ id }) => id)
            .join(),
        },
        maxBuffer: 64 * 1024 * 1024,
      },
      (cause, stdout, stderr) => {
        resolve({ code: cause ? 1 : 0, output: stdout + stderr })
      },
    )
  })
}
