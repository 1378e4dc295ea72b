/** The days of a person whose Claude Code is signed in: models, policies, limits, tokens, and the end. One test goes on where the one before ended. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type House, openHouse } from '../browser/house.ts'
import { freePort } from '../support/ports.ts'
import { signInAt } from './sign-in.ts'
import { HAS_TERMINAL, startTerminal, type Terminal } from './terminal.ts'

const SLOW_MS = 200_000
const LOOK = { locale: 'en-US', scheme: 'light', width: 1280 } as const
const DISCOVERY = { CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY: '1' }
/** Where Claude Code keeps its tokens. */
const Credentials = z.looseObject({
  enterpriseGateway: z.looseObject({ jwt: z.string(), idpRefreshToken: z.string(), expiresAt: z.number() }),
})

describe.runIf(HAS_TERMINAL)('Claude Code that is signed in', () => {
  let house: House
  let terminal: Terminal
  let ann: Page
  let boss: Page
  let userId = 0
  beforeAll(async () => {
    const port = await freePort()
    house = await openHouse({
      server: { port, public_url: `http://127.0.0.1:${port}` },
      limits: { default_budget_usd: 50 },
    })
    ann = (await house.page(LOOK)).page
    boss = (await house.page(LOOK)).page
    await house.signIn(ann, 'ann')
    await house.signIn(boss, 'admin')
    userId = (await ask(ann, 'GET', '/api/auth/me')).user.id
    const own = await (await fetch(`${house.gateway.url}/api/connect/settings`)).text()
    terminal = startTerminal({ own })
  })
  afterAll(async () => {
    terminal?.stop()
    await house?.stop()
  })

  /** What the dashboard of this person gets. */
  const ask = async (page: Page, method: string, path: string, body?: unknown) => {
    const text = await page.evaluate(
      async ([how, where, sent]) => {
        const headers = { 'content-type': 'application/json' }
        const init =
          sent === undefined ? { method: how } : { method: how, headers, body: JSON.stringify(sent) }
        const answer = await fetch(where, init)
        if (!answer.ok) throw new Error(`${how} ${where}: ${await answer.text()}`)
        return answer.text()
      },
      [method, path, body] as const,
    )
    return JSON.parse(text)
  }
  /** A prompt and its answer; the screen shows both. */
  const says = async (prompt: string, answer: RegExp) => {
    await terminal.enter(prompt)
    return terminal.shows(new RegExp(`❯ ${prompt}\\s[^❯]*${answer.source}`))
  }
  const ANSWERED = /simulated Claude[^❯]*· done/
  const spent = async (): Promise<number> => {
    const { caps } = await ask(ann, 'GET', '/api/limits')
    return caps.find(({ period }: { period: string }) => period === 'monthly').used_usd
  }
  /** Once it stands still, because Claude Code asks for other things beside what somebody typed. */
  const spentAtRest = async (): Promise<number> => {
    let before = Number.NaN
    const isSame = async () => {
      const last = before
      before = await spent()
      return before === last
    }
    await expect.poll(isSame, { interval: 1_000, timeout: 30_000 }).toBe(true)
    return before
  }
  const limitTo = (amount_usd: number) => {
    const amount = Math.round(amount_usd * 10_000) / 10_000
    const scope = { scope: 'user', scope_id: userId, period: 'monthly' }
    return ask(boss, 'PUT', '/admin/api/limits', { ...scope, amount_usd: amount })
  }
  const credentialsFile = () => join(terminal.home, '.claude/.credentials.json')
  const credentials = () => Credentials.parse(JSON.parse(readFileSync(credentialsFile(), 'utf8')))

  test(
    'signed in by a person’s own settings, and says so in /status',
    async () => {
      await signInAt(terminal, house, ann, 'ann')
      await says('First question', ANSWERED)
      await terminal.enter('/status')
      await terminal.shows(/Gateway account: +ann/)
      await terminal.press('Escape')
    },
    SLOW_MS,
  )

  test(
    '/usage has the dollars of the dashboard',
    async () => {
      // A call on the side, for a title, may settle between the two.
      await expect
        .poll(
          async () => {
            await terminal.enter('/usage')
            const screen = await terminal.shows(/\$\d+\.\d\d \/ \$50\.00 spent this month · Resets/)
            await terminal.press('Escape')
            const dollars = await spent()
            return screen.includes(`$${dollars.toFixed(2)} / $50.00 spent`) && dollars > 0
          },
          { timeout: 60_000 },
        )
        .toBe(true)
    },
    SLOW_MS,
  )

  test(
    'a policy comes when it starts, with consent, the models of the gateway and what the policy says',
    async () => {
      const settings = { env: DISCOVERY, companyAnnouncements: ['Greetings from the policy'] }
      const { policy } = await ask(boss, 'POST', '/admin/api/policies', { name: 'all', settings })
      terminal.restart()
      await terminal.shows(/Managed settings require approval[\s\S]*GATEWAY_MODEL_DISCOVERY/)
      await terminal.dismiss('Enter', /require approval/)
      await terminal.shows(/Greetings from the policy/)
      await terminal.enter('/model')
      await terminal.shows(/Claude Mythos 5\.2/)
      await terminal.press('Escape')
      await terminal.enter('/status')
      await terminal.shows(/Setting sources: .*Enterprise managed settings \(remote\)/)
      await terminal.press('Escape')

      const changed = { ...settings, companyAnnouncements: ['Something new'] }
      await ask(boss, 'PUT', `/admin/api/policies/${policy.id}`, { settings: changed })
      terminal.restart()
      await terminal.shows(/Something new/)
    },
    SLOW_MS,
  )

  test(
    'tells when a limit is near, is refused at it with the way to more, and goes on once more is granted',
    async () => {
      await limitTo((await spentAtRest()) / 0.8)
      await says('Near the limit', /You've used \d\d% of your usage credits/)
      await limitTo((await spentAtRest()) * 0.9)
      await says('At the limit', /Ask for more at \S+\/requests/)
      const wanted = { period: 'monthly', amount_usd: 40, reason: 'a release' }
      const { request } = await ask(ann, 'POST', '/api/requests', wanted)
      await ask(boss, 'PUT', `/api/queue/requests/${request.id}`, { status: 'approved' })
      await says('After the raise', ANSWERED)
      await terminal.enter('/usage')
      await terminal.shows(/\/ \$40\.00 spent this month/)
      await terminal.press('Escape')
    },
    SLOW_MS,
  )

  test(
    'renews its token before it ends, and calls with the new one',
    async () => {
      const before = credentials()
      const { enterpriseGateway } = before
      const nearly = { ...enterpriseGateway, expiresAt: Date.now() + 60_000 }
      writeFileSync(credentialsFile(), JSON.stringify({ ...before, enterpriseGateway: nearly }))
      terminal.restart()
      await terminal.shows(/Something new/)
      await says('With a new token', ANSWERED)
      await expect.poll(() => credentials().enterpriseGateway.expiresAt).toBeGreaterThan(nearly.expiresAt)
      const after = credentials().enterpriseGateway
      expect(after.jwt).not.toBe(enterpriseGateway.jwt)
      expect(after.idpRefreshToken).not.toBe(enterpriseGateway.idpRefreshToken)
    },
    SLOW_MS,
  )

  test(
    'signs out by /logout, which ends the device',
    async () => {
      const devices = async () =>
        (await ask(boss, 'GET', `/admin/api/devices?user_id=${userId}`)).devices.length
      expect(await devices()).toBe(1)
      await terminal.enter('/logout')
      await terminal.shows(/Successfully logged out/)
      await expect.poll(devices, { timeout: 20_000 }).toBe(0)
    },
    SLOW_MS,
  )
})
