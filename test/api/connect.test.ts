/** What puts Claude Code on machines in touch with this gateway. */
import { expect, test } from 'vitest'
import { createSignInProblem } from '../../core/devices/private-address.ts'
import { ORIGIN, startApp } from '../support/app.ts'
import { fakeClock } from '../support/clock.ts'

const PLATFORMS = [
  'linux',
  'macos',
  'macos-profile',
  'jamf',
  'windows',
  'windows-registry',
  'intune',
  'settings',
  'key-sh',
  'key-powershell',
  'key-settings',
]

test('anybody gets each form as a list and as a file, with the address of this gateway alone', async () => {
  const app = await startApp({ server: { public_url: ORIGIN } })
  const { status, body } = await app.request('/api/connect', { headers: { host: 'evil.test' } })
  expect([status, body.url, body.warning]).toEqual([200, ORIGIN, null])
  expect(body.settings.map(({ id }: { id: string }) => id)).toEqual(PLATFORMS)
  for (const { id, file, content } of body.settings) {
    const answer = await app.open(`/api/connect/${id}`)
    expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="${file}"`)
    expect(await answer.text()).toBe(content)
    expect(content).toContain(ORIGIN)
  }
  const linux = await app.open('/api/connect/linux')
  expect(await linux.json()).toEqual({
    forceLoginMethod: 'gateway',
    forceLoginGatewayUrl: ORIGIN,
    parentSettingsBehavior: 'merge',
  })
  const unknown = await app.request('/api/connect/amiga')
  expect([unknown.status, unknown.body.error.message]).toEqual([
    404,
    `Choose one of ${PLATFORMS.join(', ')}.`,
  ])
  await app.close()
})

test('there is nothing where the gateway does not know its address', async () => {
  const app = await startApp()
  for (const path of ['/api/connect', '/api/connect/linux']) {
    expect((await app.request(path)).status).toBe(404)
  }
  await app.close()
})

test('says so where one address of the gateway is public, because Claude Code would not sign in', async () => {
  const clock = fakeClock()
  const seen: string[] = []
  const lookup = async (name: string) => {
    seen.push(name)
    if (name === 'unknown.test') throw new Error('ENOTFOUND')
    return name === 'open.test' ? ['10.0.0.1', '203.0.113.7'] : ['10.0.0.1', 'fd00::1', '100.64.0.9']
  }
  const problemOf = (url: string, given: { lookup?: typeof lookup } = { lookup }) =>
    createSignInProblem(url, { clock, ...given })()
  expect(await problemOf('https://open.test')).toMatch(/^open\.test is at 203\.0\.113\.7, which is public\./)
  for (const url of [
    'https://private.test',
    'https://unknown.test',
    'http://127.0.0.1:8080',
    'http://[::1]',
    '',
  ]) {
    expect(await problemOf(url)).toBeUndefined()
  }
  // Without a resolver the address itself tells.
  for (const url of [
    'https://8.8.8.8',
    'http://[2001:db8::1]',
    'https://gw.me.workers.dev',
    'https://x.lambda-url.eu-west-1.on.aws',
  ]) {
    expect(await problemOf(url, {})).toMatch(/is public\. Claude Code signs in/)
  }
  expect(await problemOf('https://open.test', {})).toBeUndefined()

  seen.length = 0
  const asked = createSignInProblem('https://open.test', { clock, lookup })
  await Promise.all([asked(), asked()])
  expect(seen).toHaveLength(1)
  clock.advance(60_000)
  await asked()
  expect(seen).toHaveLength(2)
})
