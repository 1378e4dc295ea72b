/** What goes on machines is what their own programs read, as far as this machine has them. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { temporaryFolder } from '../support/stores.ts'

const run = promisify(execFile)
const URL = 'https://10.1.2.3'
const MANAGED = { forceLoginMethod: 'gateway', forceLoginGatewayUrl: URL, parentSettingsBehavior: 'merge' }
const READ_PLIST = 'import json, plistlib, sys; print(json.dumps(plistlib.loads(sys.argv[1].encode())))'
const SLOW_MS = 60_000

describe('client-settings', () => {
  const folder = temporaryFolder()
  const configPath = join(folder.path, 'config.yaml')
  const configure = (url: string) => {
    const backends = [{ name: 'a', url: 'https://a.test', api_key: 'k' }]
    const auth = { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a' }
    writeFileSync(configPath, JSON.stringify({ backends, auth, server: { public_url: url } }))
  }
  const cli = (...args: string[]) =>
    run(process.execPath, ['adapters/cli/start.mjs', 'client-settings', ...args], {
      env: { PATH: process.env.PATH, CONFIG_PATH: configPath },
      cwd: join(import.meta.dirname, '../..'),
    })
  const contentOf = async (platform: string) => (await cli(platform)).stdout
  const plistOf = async (platform: string) => {
    const { stdout } = await run('python3', ['-c', READ_PLIST, await contentOf(platform)])
    return JSON.parse(stdout)
  }
  beforeAll(() => configure(URL))
  afterAll(() => folder.remove())

  test(
    'prints files that are nothing but the file',
    async () => {
      for (const platform of ['linux', 'macos', 'windows']) {
        expect(JSON.parse(await contentOf(platform))).toEqual(MANAGED)
      }
    },
    SLOW_MS,
  )

  test(
    'makes property lists that a parser of Apple’s format reads',
    async () => {
      expect(await plistOf('jamf')).toEqual(MANAGED)
      const profile = await plistOf('macos-profile')
      const uuid = /^[0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-8[0-9A-F]{3}-[0-9A-F]{12}$/
      expect(profile).toMatchObject({
        PayloadType: 'Configuration',
        PayloadScope: 'System',
        PayloadVersion: 1,
        PayloadUUID: expect.stringMatching(uuid),
      })
      expect(profile.PayloadContent).toEqual([
        expect.objectContaining({
          ...MANAGED,
          PayloadType: 'com.anthropic.claudecode',
          PayloadVersion: 1,
          PayloadUUID: expect.stringMatching(uuid),
        }),
      ])
      expect(profile.PayloadContent[0].PayloadUUID).not.toBe(profile.PayloadUUID)
    },
    SLOW_MS,
  )

  test(
    'puts the same document into the registry by both ways',
    async () => {
      const [, quoted = ''] = /"Settings"="(.*)"\r\n/.exec(await contentOf('windows-registry')) ?? []
      expect(JSON.parse(quoted.replaceAll('\\"', '"').replaceAll('\\\\', '\\'))).toEqual(MANAGED)
      const [, single = ''] = /-Value '(.*)' \| Out-Null/.exec(await contentOf('intune')) ?? []
      expect(JSON.parse(single.replaceAll("''", "'"))).toEqual(MANAGED)
    },
    SLOW_MS,
  )

  test(
    'gives a shell the address and a place for the key',
    async () => {
      const script = (await contentOf('key-sh')).replace(/claude\s*$/, 'env')
      const { stdout } = await run('sh', ['-c', script], { env: { PATH: process.env.PATH } })
      expect(stdout).toContain(`ANTHROPIC_BASE_URL=${URL}\n`)
      expect(stdout).toContain('ANTHROPIC_AUTH_TOKEN=sk-…\n')
    },
    SLOW_MS,
  )

  test(
    'a gateway at a public address says so when it starts',
    async () => {
      const gateway = await startGateway({
        backends: [{ name: 'a', url: 'https://a.test' }],
        server: { public_url: 'https://8.8.8.8' },
      })
      await expect.poll(() => gateway.output()).toMatch(/server\.public_url.*8\.8\.8\.8 is public/)
      await gateway.stop()
    },
    SLOW_MS,
  )

  test(
    'warns beside the result where the address is public',
    async () => {
      expect((await cli()).stderr).toBe('')
      configure('https://8.8.8.8')
      const { stdout, stderr } = await cli('linux')
      expect(JSON.parse(stdout)).toMatchObject({ forceLoginGatewayUrl: 'https://8.8.8.8' })
      expect(stderr).toMatch(/^Note: 8\.8\.8\.8 is public\. Claude Code signs in/)
      expect(JSON.parse((await cli('--json')).stdout)).toMatchObject({ warning: expect.any(String) })
    },
    SLOW_MS,
  )
})
