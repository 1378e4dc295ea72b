/** Who only reads: auditors see every page of administrators, accountants those of cost, and no control there is refused. */
import { eq } from 'drizzle-orm'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiKeys, applications, policies, users } from '../../core/db/schema.ts'
import { type House, type Look, openHouse } from './house.ts'
import { ADMIN_PAGES } from './pages.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }
const COST_PAGES = [
  '/admin',
  '/admin/groups',
  '/admin/groups/0',
  '/admin/explore',
  '/admin/explore?user_id=1&group_id=1&key_id=1',
  '/admin/usage',
  '/admin/statements',
  '/admin/statements/0',
  '/admin/statements/reconciliation',
]

let house: House
beforeAll(async () => {
  house = await openHouse()
  const { db } = house.gateway
  const times = { createdAt: Date.now(), updatedAt: Date.now() }
  const [ann] = await db
    .insert(users)
    .values({ itcode: 'ann', name: 'Ann', role: 'user', status: 'active', ...times })
    .returning()
  const userId = ann?.id ?? 0
  const key = { userId, prefix: 'sk-ann', last4: '0000', status: 'active' as const, ...times }
  await db.insert(apiKeys).values([
    { ...key, name: 'laptop', hash: 'laptop' },
    { ...key, name: 'desk', hash: 'desk', kind: 'device' },
  ])
  const asked = { model: 'claude-fable-5-2', reason: 'for the report', status: 'pending' as const }
  await db.insert(applications).values({ userId, ...asked, ...times })
  await db
    .insert(policies)
    .values({ name: 'everybody', priority: 1, groupIds: '[]', domains: '[]', settings: '{}', ...times })
})
afterAll(() => house?.stop())

/** Presses everything of the page that can be pressed, and what opens in a dialog, too. */
async function pressAll(page: Page) {
  const controls = page.locator('main :is(button, input[type=checkbox]):enabled:visible')
  for (let i = 0; i < (await controls.count()); i++) {
    // A dialog that loads when it is first asked for may open only now, over the next control.
    await controls
      .nth(i)
      .click({ timeout: 5_000 })
      .catch(async () => {
        await page.keyboard.press('Escape')
        await controls.nth(i).click()
      })
    const dialog = page.locator('dialog[open]')
    for (const button of await dialog.getByRole('button').all()) {
      if (await button.isVisible()) await button.click()
    }
    await page.keyboard.press('Escape')
  }
}

test.each([
  ['auditor', ADMIN_PAGES.map((path) => (path.endsWith('/new') ? '/admin/policies/1' : path))],
  ['billing', COST_PAGES],
] as const)('with the role %s', async (role, paths) => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, role)
  await house.gateway.db.update(users).set({ role }).where(eq(users.itcode, role))
  const refused: string[] = []
  page.on('response', (answer) => {
    if (answer.status() === 403)
      refused.push(`${answer.request().method()} ${new URL(answer.url()).pathname}`)
  })
  for (const path of paths) {
    await page.goto(house.gateway.url + path)
    await page.locator('main h1').first().waitFor()
    await page.waitForLoadState('networkidle', { timeout: 2_000 }).catch(() => {})
    expect([path, new URL(page.url()).pathname]).toEqual([path, path.split('?')[0]])
    await pressAll(page)
    expect([path, refused]).toEqual([path, []])
  }
  expect(problems).toEqual([])
  await page.context().close()
})
