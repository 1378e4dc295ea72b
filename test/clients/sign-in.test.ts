/** The real Claude Code signs in to the real gateway, and a person lets it in with the real browser. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type House, openHouse } from '../browser/house.ts'
import { freePort } from '../support/ports.ts'
import { signInAt } from './sign-in.ts'
import { HAS_TERMINAL, startTerminal, type Terminal } from './terminal.ts'

describe.runIf(HAS_TERMINAL)('Claude Code in a terminal', () => {
  let house: House
  let terminal: Terminal
  beforeAll(async () => {
    const port = await freePort()
    house = await openHouse({
      server: { port, public_url: `http://127.0.0.1:${port}` },
      limits: { default_budget_usd: 50 },
    })
    const machine = await (await fetch(`${house.gateway.url}/api/connect/linux`)).text()
    terminal = startTerminal({ machine })
  })
  afterAll(async () => {
    terminal?.stop()
    await house?.stop()
  })

  test('signs in by a page, calls, shows what was spent, and is signed out from the dashboard at once', async () => {
    const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
    await house.signIn(page, 'ann')
    await signInAt(terminal, house, page, 'ann')
    await terminal.enter('Say hello')
    await terminal.shows(/simulated Claude/)
    await terminal.enter('/usage')
    await terminal.shows(/\$\d+\.\d\d \/ \$50\.00 spent this month/)
    await terminal.press('Escape')

    await page.goto(`${house.gateway.url}/keys`)
    await page.getByRole('heading', { name: 'Devices' }).waitFor()
    await page.getByRole('listitem').filter({ hasText: 'claude-code/' }).getByRole('button').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click()
    await page.getByText(/is signed out/).waitFor()
    await terminal.enter('Say hello again')
    await terminal.shows(/Please run \/login/)
    expect(problems).toEqual([])
    const [row] = await house.gateway.rows(1)
    expect(row).toMatchObject({ client: 'claude-code' })
  }, 300_000)
})
