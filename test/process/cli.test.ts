import { execFile } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { auditEvents } from '../../core/db/schema.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { temporaryFolder } from '../support/stores.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const run = promisify(execFile)
const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }

/** The settings that the start warned of. */
const warned = (gateway: TestGateway) =>
  [...gateway.output().matchAll(/"level":"warn","event":"config\.open","setting":"([^"]+)"/g)].map(
    ([, name]) => name,
  )

describe('the command line, beside the running server', () => {
  let upstream: FakeUpstream
  let gateway: TestGateway
  const folder = temporaryFolder()
  beforeAll(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({ backends: [{ name: 'a', url: upstream.url }] })
  })
  afterAll(async () => {
    await gateway.stop()
    await upstream.stop()
    folder.remove()
  })
  const cli = async (
    args: string[],
    env: Record<string, string> = { CONFIG_PATH: gateway.configPath },
    file = 'adapters/cli/start.mjs',
  ) => {
    const options = { env: { PATH: process.env.PATH, ...env }, cwd: join(import.meta.dirname, '../..') }
    try {
      const { stdout, stderr } = await run(process.execPath, [file, ...args], options)
      return { code: 0, stdout, stderr }
    } catch (cause) {
      const failed = cause as { code: number; stdout: string; stderr: string } // what execFile rejects with
      return { code: failed.code, stdout: failed.stdout, stderr: failed.stderr }
    }
  }

  test('tells the version, which the server tells too: in the first line of its log and where it says that it lives', async () => {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync('package.json', 'utf8')))
    expect(await cli(['--version'], {})).toMatchObject({ code: 0, stdout: `${version}\n` })
    expect(gateway.output()).toMatch(new RegExp(`^.*"event":"server.starting","version":"${version}"`))
    const { headers } = await fetch(`${gateway.url}/healthz`)
    expect(headers.get('x-gateway-version')).toBe(version)
  })

  test('is also where the scripts of operators have called it from the beginning', async () => {
    expect(await cli(['--version'], {}, 'adapters/node/cli.ts')).toMatchObject({ code: 0 })
  })

  test('makes a user and a key that the server takes within a second, and disables it again', async () => {
    expect((await cli(['user', 'create', ' Ann@Example.COM ', '--budget', '5', '--admin'])).stdout).toContain(
      'admin ann@example.com',
    )
    expect(await cli(['user', 'create', 'ann@example.com'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/already/),
    })
    const { stdout, stderr } = await cli(['key', 'create', 'ann@example.com', '--name', 'laptop'])
    const key = stdout.trim()
    expect(key).toMatch(/^sk-[A-Za-z0-9]{40}$/)
    const status = async () => (await gateway.send(ASK, { key })).status
    await expect.poll(status, { timeout: 1_500 }).toBe(200)
    const id = /Key (\d+)/.exec(stderr)?.[1] ?? ''
    const listed = (await cli(['key', 'list', 'ann@example.com'])).stdout
    expect(listed).toContain('laptop')
    expect(listed).not.toContain(key)
    const rotated = (await cli(['key', 'rotate', id, '--overlap', '0'])).stdout.trim()
    await expect.poll(status, { timeout: 1_500 }).toBe(401)
    const statusNow = async () => (await gateway.send(ASK, { key: rotated })).status
    expect(await statusNow()).toBe(200)
    expect((await cli(['key', 'disable', id])).stdout).toContain('disabled')
    await expect.poll(statusNow, { timeout: 1_500 }).toBe(401)
    expect((await cli(['user', 'list'])).stdout).toContain('ann@example.com')
  })

  test('adopts what was made elsewhere, for calls that the server takes at once', async () => {
    const { itcode, secret } = { itcode: 'owner', secret: (await gateway.newKey({ itcode: 'owner' })).secret }
    const file = [{ type: 'document', source: { type: 'file', file_id: 'file_elsewhere' } }]
    const named = { ...ASK, messages: [{ role: 'user', content: file }] }
    const status = async () => (await gateway.send(named, { key: secret })).status
    await expect.poll(status, { timeout: 1_500 }).toBe(400)
    const adopted = await cli(['objects', 'adopt', 'file_elsewhere', 'a', itcode])
    expect(adopted.stdout).toBe('The file file_elsewhere in a belongs to owner.\n')
    expect(await status()).toBe(200)
    expect((await cli(['objects', 'list', itcode])).stdout).toContain('file_elsewhere')
    expect((await cli(['objects', 'adopt', 'odd-1', 'a', itcode, '--kind', 'thread'])).stdout).toContain(
      'thread',
    )
  })

  test.each([
    [['file_1'], 'BACKEND is missing.'],
    [['file_1', 'z', 'ann'], 'There is no backend z; there are a.'],
    [['odd', 'a', 'ann'], '--kind: container, thread, file or skill is expected, as the id does not tell.'],
    [['file_1', 'a', 'nobody'], 'There is no user nobody. Create one with: user create nobody'],
  ])('does not adopt %j', async (args, problem) => {
    expect(await cli(['objects', 'adopt', ...args])).toMatchObject({ code: 1, stderr: `${problem}\n` })
  })

  test('prints a code that signs in from any browser, and the audit says so', async () => {
    await cli(['user', 'create', 'locked@example.com'])
    const { stdout, stderr } = await cli(['user', 'code', 'Locked@example.com'])
    expect(stdout).toMatch(/^[A-Z]{4}(-[A-Z]{4}){3}\n$/)
    expect(stderr).toContain('locked@example.com')
    const signIn = (code: string) =>
      fetch(`${gateway.url}/api/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ itcode: 'locked@example.com', code }),
      })
    expect((await signIn('ABCD-ABCD-ABCD-ABCD')).status).toBe(401)
    const answer = await signIn(stdout.trim())
    expect([answer.status, answer.headers.getSetCookie().length]).toEqual([200, 2])
    expect((await signIn(stdout.trim())).status).toBe(401)
    const rows = await gateway.db
      .select()
      .from(auditEvents)
      .where(eq(auditEvents.action, 'login.code_handed_over'))
    expect(rows).toMatchObject([{ target: 'user:locked@example.com', actorId: null }])
    expect(await cli(['user', 'code', 'nobody'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no user/),
    })
  })

  test('tells who used what', async () => {
    await (await gateway.send(ASK)).text()
    await gateway.rows(1)
    expect((await cli(['usage', '--by', 'model'])).stdout).toContain('claude-opus-5-5')
    expect(await cli(['usage', '--by', 'colour'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/user, model, backend or day/),
    })
  })

  test('backs up while the server runs, to a file of its own only', async () => {
    const file = join(folder.path, 'backup.db')
    expect((await cli(['backup', file])).code).toBe(0)
    expect(statSync(file).mode & 0o077).toBe(0)
    expect(await cli(['backup', file])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/exists already/),
    })
  })

  test('checks a configuration without showing a secret', async () => {
    const { code, stdout, stderr } = await cli(['check-config'])
    expect(code).toBe(0)
    // The same as the start says.
    const lines = stderr.trim().split('\n')
    const paths = ['auth.auto_register', 'auth.admin_itcode', 'auth.send_code_url']
    expect(lines.map((line) => /^warning: ([a-z_.]+): /.exec(line)?.[1])).toEqual(paths)
    expect(warned(gateway)).toEqual(paths)
    expect(stdout).not.toContain('upstream-key-of-a')
    const broken = join(folder.path, 'broken.yaml')
    writeFileSync(broken, 'server: { port: eighty }\nbackends: []\n')
    const refused = await cli(['check-config'], { CONFIG_PATH: broken })
    expect(refused.code).toBe(78)
    expect(refused.stderr).toContain(`${broken}: server.port: `)
    expect(refused.stderr).not.toContain('eighty')
  })

  test.each([
    ['an unknown command', ['dance'], /Usage/],
    ['a missing user', ['key', 'create', 'nobody'], /no user nobody/],
    ['a budget that rounds to none', ['user', 'create', 'eve', '--budget', '4e-7'], /--budget: .*0\.000001/],
    ['a date that is over', ['key', 'create', 'nobody', '--expires', '2020-01-01'], /--expires: .*future/],
    ['a date that is none', ['key', 'create', 'nobody', '--expires', 'soon'], /--expires: .*future/],
    ['a key id that is none', ['key', 'disable', 'x1'], /ID/],
  ])('says what is wrong with %s', async (_what, args, said) => {
    expect(await cli(args)).toMatchObject({ code: 1, stderr: expect.stringMatching(said) })
  })

  test('says what to do when there is nothing to start from', async () => {
    const options = { env: { PATH: process.env.PATH }, cwd: folder.path }
    const script = join(import.meta.dirname, '../../adapters/node/index.ts')
    const failed = await run(process.execPath, [script], options).catch((cause: unknown) => cause)
    expect(failed).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/config\.example\.yaml.*ANTHROPIC_API_KEY/),
    })
  })
})
