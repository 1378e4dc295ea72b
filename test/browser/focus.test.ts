/** Who reads by keyboard or by ear goes on where they were when what they pressed goes away. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { groups, spendLimits, users } from '../../core/db/schema.ts'
import { type House, openHouse } from './house.ts'

const RESEARCH = 7

let house: House
beforeAll(async () => {
  house = await openHouse()
  const { db } = house.gateway
  const times = { createdAt: 1, updatedAt: 1 }
  await db.insert(groups).values({ id: RESEARCH, name: 'Research', source: 'direct', bills: true, ...times })
  for (const itcode of ['ann', 'bea']) {
    await db.insert(users).values({ itcode, name: itcode, role: 'user', status: 'active', ...times })
  }
  for (const period of ['daily', 'monthly'] as const) {
    await db
      .insert(spendLimits)
      .values({ scope: 'group_pool', scopeId: RESEARCH, period, amountMicros: 5_000_000, ...times })
  }
})
afterAll(() => house?.stop())

/** What a screen reader calls what has the focus. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(`(({ ariaLabel, labels, innerText, tagName }) =>
    tagName === 'BODY' ? 'nothing' : ariaLabel || labels?.[0]?.innerText || innerText)(document.activeElement)`)

test('after a row is taken away, the next one has the focus, and after the last what follows', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/groups/${RESEARCH}`)
  await page.getByRole('button', { name: 'Remove All together · Each day' }).focus()
  await page.keyboard.press('Enter')
  await expect.poll(() => focused(page)).toBe('Remove All together · Each month')
  await page.keyboard.press('Enter')
  await page.getByText('This group has no limits').waitFor()
  await expect.poll(() => focused(page)).toContain('Who')

  // The field is there for the next person.
  await page.getByRole('combobox', { name: 'Add a person' }).focus()
  for (const itcode of ['ann', 'bea']) {
    await page.keyboard.type(itcode)
    await page.getByRole('option', { name: itcode }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: `Remove ${itcode}` }).waitFor()
    await expect.poll(() => focused(page)).toBe('Add a person')
  }
  await page.getByRole('button', { name: 'Remove ann' }).focus()
  await page.keyboard.press('Enter')
  await expect.poll(() => focused(page)).toBe('bea')

  // Another page begins at its beginning.
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'bea', exact: true }).waitFor()
  await page.getByText('Not signed in to the dashboard.').waitFor()
  expect([await focused(page), problems]).toEqual(['nothing', []])
  await page.context().close()
})
