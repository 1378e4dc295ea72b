/** What Claude Code does to sign in, by the gateway's interface. */
import { expect } from 'vitest'
import type { App } from './app.ts'
import type { Answer, Browser } from './browser.ts'

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
export const HOME = '192.0.2.1'

/** Of the gateway that `current` answers. */
export function deviceClient(current: () => App) {
  const form = (path: string, fields: Record<string, string>, peer = HOME, on = current()): Promise<Answer> =>
    on.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': 'claude-code/2.1.332' },
      body: new URLSearchParams(fields).toString(),
      peer,
    })
  const begin = (peer?: string) => form('/oauth/device_authorization', { surface: 'claude_code' }, peer)
  const poll = (device_code: string) => form('/oauth/token', { grant_type: DEVICE_GRANT, device_code })
  const decide = (browser: Browser, user_code: string, decision = 'approved') =>
    browser.post('/api/device/decide', { user_code, decision })
  const letIn = async (browser: Browser) => {
    const { body: asked } = await begin()
    expect((await decide(browser, asked.user_code)).status).toBe(200)
    const { status, body } = await poll(asked.device_code)
    expect(status).toBe(200)
    return body
  }
  return {
    form,
    begin,
    poll,
    decide,
    /** Signs this person in on a device, and answers its tokens. */
    letIn,
    refresh: (refresh_token: string, peer?: string) =>
      form('/oauth/token', { grant_type: 'refresh_token', refresh_token }, peer),
    /** 400 says that the token is good, because nothing is asked for. */
    call: (token: string, on = current()) =>
      on.request('/v1/messages/count_tokens', {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: '{}',
      }),
    /** Signs a person in by mailed code, and on a device. */
    async signedIn(itcode = 'ann') {
      const browser = await current().signIn(itcode)
      return { browser, tokens: await letIn(browser) }
    },
  }
}
