/** Who reads by keyboard or by ear goes on where they were when what they pressed goes away. */
import { eq } from 'drizzle-orm'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { applications, groups, spendLimits, users } from '../../core/db/schema.ts'
import { type House, openHouse } from './house.ts'

const RESEARCH = 7

let house: House
beforeAll(async () => {
  house = await openHouse()
  const { db } = house.gateway
  const times = { createdAt: 1, updatedAt: 1 }
  await db.insert(groups).values({ id: RESEARCH, name: 'Research', source: 'direct', bills: true, ...times })
  for (const itcode of ['ann', 'bea']) {
    const person = { itcode, name: itcode, role: 'user' as const, status: 'active' as const }
    const [made] = await db
      .insert(users)
      .values({ ...person, ...times })
      .returning()
    const asked = { model: 'claude-fable-5-2', reason: 'for a test', status: 'pending' as const }
    await db
      .insert(applications)
      .values({ userId: made?.id ?? 0, ...asked, ...times, createdAt: itcode === 'ann' ? 1 : 2 })
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

/** What a screen reader adds to each button of this name. */
const described = (page: Page, name: string) =>
  page
    .getByRole('button', { name, exact: true })
    .evaluateAll((all) =>
      all.map(({ ariaDescribedByElements: [by] }) => by?.textContent?.trim().replace(/ +/g, ' ')),
    )

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
  expect(await described(page, 'Make lead')).toEqual(['ann', 'bea'])
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

test('a button that stands there once for each request says whose it decides, and the next has the focus after it', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/requests`)
  await page.getByText('bea asks for claude-fable-5-2').waitFor()
  for (const name of ['Approve', 'Decline']) {
    expect(await described(page, name)).toEqual([
      'ann asks for claude-fable-5-2',
      'bea asks for claude-fable-5-2',
    ])
  }
  await page.getByRole('button', { name: 'Approve' }).first().focus()
  await page.keyboard.press('Enter')
  await page.getByText('ann asks for').waitFor({ state: 'detached' })
  await expect.poll(() => focused(page)).toContain('Answer to the applicant')
  expect(problems).toEqual([])
  await page.context().close()
})

test('a button that cannot be pressed for a while, or no longer, keeps the focus', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'admin')
  const { db } = house.gateway
  const [ann] = await db.select().from(users).where(eq(users.itcode, 'ann'))
  const limit = { scope: 'user' as const, scopeId: ann?.id ?? 0, amountMicros: 5_000_000 }
  await db.insert(spendLimits).values({ ...limit, period: 'weekly', createdAt: 1, updatedAt: 1 })
  await page.goto(`${house.gateway.url}/admin/users/${ann?.id}`)
  await page.route('**/admin/api/limits/*', (route) => route.abort())
  await page.getByRole('button', { name: 'Remove Each week' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText('The gateway cannot be reached').waitFor()
  expect(await focused(page)).toBe('Remove Each week')

  const times = { createdAt: 1, updatedAt: 1 }
  const person = { role: 'user' as const, status: 'active' as const }
  const many = Array.from({ length: 26 }, (_, n) => ({ itcode: `many-${n}`, name: `Many ${n}` }))
  await db.insert(users).values(many.map((one) => ({ ...one, ...person, ...times })))
  await page.goto(`${house.gateway.url}/admin/users`)
  await page.locator('summary', { hasText: 'Columns' }).click()
  await page.getByRole('checkbox', { name: 'Role' }).focus()
  await page.keyboard.press('Escape')
  expect(await focused(page)).toBe('Columns')
  await page.getByRole('button', { name: 'Next' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText(/^26–/).waitFor()
  expect(await focused(page)).toBe('Next')
  await page.keyboard.press('Enter')
  expect([new URL(page.url()).searchParams.get('page'), problems]).toEqual(['2', []])
  await page.context().close()
})
