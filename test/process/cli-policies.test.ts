/** Policies and devices on the command line, without a server; a running one takes what it changes. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { answerOf } from '../support/browser.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type People, startPeople } from '../support/people.ts'
import { freePort } from '../support/ports.ts'
import { temporaryFolder } from '../support/stores.ts'

const run = promisify(execFile)
/** Each command is a process of its own. */
const SLOW_MS = 60_000
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

describe('on the command line', () => {
  let people: People
  let gateway: TestGateway
  const folder = temporaryFolder()
  beforeAll(async () => {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    people = await startPeople(url)
    gateway = await startGateway({
      backends: [{ name: 'a', url: 'https://a.test' }],
      auth: { send_code_url: people.url },
      server: { port, public_url: url },
    })
  })
  afterAll(async () => {
    await gateway?.stop()
    await people?.stop()
    folder.remove()
  })
  const cli = async (...args: string[]) => {
    const options = {
      env: { PATH: process.env.PATH, CONFIG_PATH: gateway.configPath },
      cwd: join(import.meta.dirname, '../..'),
    }
    try {
      const { stdout } = await run(process.execPath, ['adapters/cli/start.mjs', ...args], options)
      return stdout.trim()
    } catch (cause) {
      return `failed: ${(cause as { stderr: string }).stderr.trim()}` // what execFile rejects with
    }
  }
  const json = async (...args: string[]) => JSON.parse(await cli(...args, '--json'))
  const file = (settings: unknown) => {
    const path = join(folder.path, 'settings.json')
    writeFileSync(path, JSON.stringify(settings))
    return path
  }
  const form = async (path: string, fields: Record<string, string>) =>
    answerOf(await fetch(gateway.url + path, { method: 'POST', body: new URLSearchParams(fields) }))
  /** The access token of a device that this person lets in. */
  const deviceOf = async (itcode: string): Promise<string> => {
    const person = await people.signIn(gateway, itcode)
    const { body: asked } = await form('/oauth/device_authorization', {})
    await person.post('/api/device/decide', { user_code: asked.user_code, decision: 'approved' })
    const fields = { grant_type: DEVICE_GRANT, device_code: asked.device_code }
    return (await form('/oauth/token', fields)).body.access_token
  }
  const managed = async (token: string) =>
    answerOf(
      await fetch(`${gateway.url}/managed/settings`, { headers: { authorization: `Bearer ${token}` } }),
    )

  test(
    'a policy is made, previewed, changed and taken back, and a device gets it',
    async () => {
      const token = await deviceOf('ann@corp.test')
      expect(await cli('policy', 'list')).toBe('There are no policies yet.')
      expect((await managed(token)).status).toBe(404)
      await cli('group', 'create', 'Web')
      await cli('group', 'add', 'Web', 'ann@corp.test')
      const first = file({ availableModels: ['opus'], model: 'opus' })
      expect(await cli('policy', 'apply', 'Builders', first, '--groups', 'Web', '--priority', '5')).toMatch(
        /^Made policy Builders\. Claude Code has it within the hour/,
      )
      expect((await managed(token)).body.settings).toEqual({ availableModels: ['opus'], model: 'opus' })
      const changed = await json('policy', 'apply', 'Builders', file({ availableModels: ['haiku'] }))
      expect(changed).toMatchObject({ priority: 5, for: 'Web', settings: { availableModels: ['haiku'] } })
      expect(changed.warnings).toEqual([expect.stringContaining('leaves out')])
      expect(await json('policy', 'preview', 'ann@corp.test')).toEqual({
        policies: ['Builders'],
        settings: { availableModels: ['haiku'] },
      })
      const [, { version }] = await json('policy', 'history', 'Builders')
      expect(await cli('policy', 'rollback', 'Builders', String(version))).toBe(
        `Policy Builders is as in version ${version}.`,
      )
      expect(JSON.parse(await cli('policy', 'show', 'Builders'))).toEqual({
        availableModels: ['opus'],
        model: 'opus',
      })
      expect((await managed(token)).body.settings).toMatchObject({ model: 'opus' })
      expect(await json('policy', 'list')).toMatchObject([{ name: 'Builders', priority: 5, for: 'Web' }])
      expect(await cli('policy', 'delete', 'Builders')).toBe('Deleted policy Builders.')
      expect((await managed(token)).status).toBe(404)
    },
    SLOW_MS,
  )

  test(
    'what is wrong is said: a file, a name, a group, settings that Claude Code does not take',
    async () => {
      const good = file({})
      expect(await cli('policy', 'apply', 'X', join(folder.path, 'none.json'))).toMatch(
        /^failed: There is no file/,
      )
      expect(await cli('policy', 'apply', 'X', good, '--groups', 'Nobody')).toMatch(
        /^failed: There is no group/,
      )
      expect(await cli('policy', 'show', 'X')).toBe('failed: There is no policy X. See: policy list')
      expect(await cli('policy', 'apply', 'X', file({ model: 7 }))).toMatch(/^failed: settings\.model/)
      expect(await cli('policy', 'apply', 'X', file([]))).toMatch(/^failed: .*an object of JSON is expected/)
      expect(await cli('policy', 'list')).toBe('There are no policies yet.')
    },
    SLOW_MS,
  )

  test(
    'devices are listed, and one that is ended is refused at once',
    async () => {
      const token = await deviceOf('ben@corp.test')
      const [device, ...more] = await json('device', 'list', 'ben@corp.test')
      expect([device, more]).toEqual([
        expect.objectContaining({ owner: 'ben@corp.test', name: expect.any(String), last_used: 'never' }),
        [],
      ])
      const { id: keyId } = await json('key', 'create', 'ben@corp.test')
      expect(await cli('device', 'end', String(keyId))).toMatch(/^failed: /)
      expect(await cli('device', 'end', String(device.id))).toBe(
        `${device.name} of ben@corp.test is signed out.`,
      )
      await expect.poll(async () => (await managed(token)).status, { timeout: 5_000 }).toBe(401)
      expect(await cli('device', 'list', 'ben@corp.test')).toBe('No device is signed in.')
    },
    SLOW_MS,
  )
})
