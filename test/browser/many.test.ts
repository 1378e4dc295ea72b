/** The administration of three hundred people: found, sorted, and changed many at a time. */
import { readFileSync } from 'node:fs'
import { and, eq, like } from 'drizzle-orm'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiKeys, applications, increaseRequests, spendLimits, users } from '../../core/db/schema.ts'
import { companyFile } from './company-file.ts'
import { faultsOf, type House, type Look, openHouse } from './house.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }

let house: House
beforeAll(async () => {
  house = await openHouse({}, await companyFile())
})
afterAll(() => house?.stop())

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
async function office(look = DESK) {
  const { page, problems } = await house.page(look)
  await house.signIn(page, 'admin')
  return { page, problems }
}
const limitsOf = async (page: Page): Promise<number[]> =>
  page.evaluate(`fetch('/admin/api/users?q=person-0&page_size=50').then((answer) => answer.json())
    .then(({ users }) => users.map((user) => user.budget_usd))`)

test('the limits of forty people are raised, and put back in one', async () => {
  const { page, problems } = await office()
  await page.goto(`${house.gateway.url}/admin/users?q=person-0&size=50`)
  await page.getByText('1–50 of 100').waitFor()
  const before = await limitsOf(page)
  await page.getByLabel('Select all on this page').check()
  for (let i = 40; i < 50; i++) await page.getByLabel(`Select person-0${i}`).uncheck()
  await page.getByText('40 selected').waitFor()
  await button(page, 'Set limit').click()
  await page.locator('dialog[open]').getByLabel('US dollars per period').fill('300')
  expect(await faultsOf(page)).toEqual([])
  await page.locator('dialog[open]').getByRole('button', { name: 'Set limit' }).click()
  await page.getByText('40 people changed').waitFor()
  expect(await limitsOf(page)).toEqual([...Array(40).fill(300), ...before.slice(40)])
  await button(page, 'Undo').click()
  await page.getByText('Undone').waitFor()
  expect(await limitsOf(page)).toEqual(before)
  expect(problems).toEqual([])
  await page.context().close()
})

test('the list is sorted and paged by the server and walked by keyboard; its address keeps the view', async () => {
  const { page, problems } = await office()
  await page.goto(`${house.gateway.url}/admin/users?q=person`)
  await page.getByRole('button', { name: 'Created' }).click()
  await page.waitForURL('**/admin/users?q=person&sort=created_at&order=desc')
  await page
    .getByRole('columnheader', { name: 'Created' })
    .and(page.locator('[aria-sort=descending]'))
    .waitFor()
  await expect.poll(() => page.locator('tbody th').first().textContent()).toContain('person-299')
  await button(page, 'Last').click()
  await page.getByText('276–300 of 300').waitFor()
  const at = page.getByLabel('Page', { exact: true })
  for (const typed of ['99', 'x']) {
    await at.fill(typed)
    await page.keyboard.press('Tab')
    await expect.poll(() => at.inputValue()).toBe('12')
  }
  await at.fill('2')
  await page.keyboard.press('Tab')
  await page.getByText('26–50 of 300').waitFor()
  // The rows are there when their numbers are.
  expect(await page.locator('tbody th').first().textContent()).toContain('person-274')
  await page.locator('h1').click()
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.keyboard.press('x')
  await page.getByText('1 selected').waitFor()
  expect(await faultsOf(page)).toEqual([])
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'person-273' }).waitFor()
  await page.goBack()
  await page.getByText('26–50 of 300').waitFor()
  expect(problems).toEqual([])
  await page.context().close()
})

test('thirty people are invited from a list', async () => {
  const { page, problems } = await office()
  await page.goto(`${house.gateway.url}/admin/users`)
  await button(page, 'Invite').click()
  const limit = page.getByLabel('Limit per month')
  await limit.fill('25')
  await page.locator('dialog[open]').getByRole('button', { name: 'Cancel' }).click()
  await button(page, 'Invite').click()
  expect(await limit.inputValue()).toBe('')
  const list = Array.from({ length: 30 }, (_, i) => `new-${i}@example.com, New Person ${i}`).join('\n')
  await page.getByLabel('One person a line').fill(list)
  await button(page, 'Create invitations').click()
  await page.getByText('30 invitations').waitFor()
  const links = (await page.locator('dialog[open] pre').textContent()) ?? ''
  expect(links.split('\n')).toHaveLength(30)
  expect([await faultsOf(page), problems]).toEqual([[], []])
  await page.context().close()
})

test('anybody is picked in the filter of usage, and nobody else is fetched for it', async () => {
  const { page, problems } = await office()
  let bytes = 0
  page.on('response', async (response) => {
    // The body of a page that was left meanwhile is gone.
    const body = () => response.text().catch(() => '')
    if (/admin\/api\/(users|keys)/.test(response.url())) bytes += (await body()).length
  })
  await page.goto(`${house.gateway.url}/admin/usage`)
  await page.waitForLoadState('networkidle')
  expect(bytes).toBe(0)
  const field = page.getByRole('combobox', { name: 'User' })
  await field.click()
  await field.fill('person-28')
  await page.getByRole('option', { name: 'person-287' }).waitFor()
  expect(await faultsOf(page)).toEqual([])
  await page.getByRole('option', { name: 'person-287' }).click()
  await page.waitForURL('**/admin/usage?user=*')
  await expect.poll(() => field.inputValue()).toBe('person-287')
  await page.reload()
  await expect.poll(() => field.inputValue()).toBe('person-287')
  await field.click()
  await page.getByText('Chosen last').waitFor()
  const before = page.url()
  // What is typed takes the place of the name; Enter takes nobody who does not fit, however soon it comes.
  await page.keyboard.type('person-289')
  await page.keyboard.press('Enter')
  await page.getByRole('option', { name: 'person-289' }).waitFor()
  expect(await field.inputValue()).toBe('person-289')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await expect.poll(() => page.url()).not.toBe(before)
  await field.click()
  await page.keyboard.type('nobody')
  await page.getByText('Nothing matches.').waitFor()
  await page.keyboard.press('Escape')
  await expect.poll(() => field.inputValue()).toBe('person-289')
  await page.getByRole('button', { name: 'User: clear' }).click()
  await expect.poll(() => field.inputValue()).toBe('')
  expect(await page.evaluate('document.activeElement.ariaLabel')).toBe('User')
  await page.getByRole('button', { name: /admin/ }).last().click()
  await page.getByRole('menuitem', { name: 'Sign out', exact: true }).click()
  await page.waitForURL('**/login*')
  expect(await page.evaluate('Object.keys(localStorage).join()')).not.toContain('recent')
  expect(problems).toEqual([])
  await page.context().close()
})

/** Applications for a model by the first fifteen people, and by five others, who have a limit, for more. */
async function twentyAsk() {
  const { db } = house.gateway
  const people = await db.select().from(users).where(like(users.itcode, 'person-00%')).orderBy(users.id)
  const more = await db.select().from(users).where(like(users.itcode, 'person-01%')).orderBy(users.id)
  const asked = {
    reason: 'for the report',
    status: 'pending' as const,
    createdAt: Date.now(),
    updatedAt: Date.now(),
  }
  await db
    .insert(applications)
    .values(
      [...people, ...more.slice(0, 5)].map(({ id }) => ({ userId: id, model: 'claude-fable-5-2', ...asked })),
    )
  const wanted = { period: 'monthly' as const, amountMicros: 50_000_000 }
  await db
    .insert(increaseRequests)
    .values(more.slice(5).map(({ id }) => ({ userId: id, ...wanted, ...asked })))
  const present = { scope: 'user' as const, period: wanted.period, amountMicros: 20_000_000 }
  const since = { createdAt: asked.createdAt, updatedAt: asked.updatedAt }
  await db
    .insert(spendLimits)
    .values(more.slice(5).map(({ id }) => ({ scopeId: id, ...present, ...since })))
    .onConflictDoUpdate({
      target: [spendLimits.scope, spendLimits.scopeId, spendLimits.period],
      set: { amountMicros: present.amountMicros },
    })
}

test('twenty requests are decided in two steps, select all and a, and taken back in one', async () => {
  await twentyAsk()
  const { page, problems } = await office()
  const posts: string[] = []
  page.on('request', (request) => {
    if (request.method() === 'POST') posts.push(new URL(request.url()).pathname)
  })
  await page.goto(`${house.gateway.url}/admin/applications`)
  await page.waitForURL('**/admin/requests')
  await page.getByText('1–20 of 20').waitFor()
  expect(await faultsOf(page)).toEqual([])
  await page.getByLabel('Select all on this page').check()
  const own = async () => {
    const rows = await house.gateway.db.select().from(spendLimits).orderBy(spendLimits.scopeId)
    return rows.map(({ scopeId, period, amountMicros }) => ({ scopeId, period, amountMicros }))
  }
  const before = await own()
  await page.keyboard.press('a')
  await page.getByText('20 approved').waitFor()
  const raised = (await own()).filter(({ amountMicros }) => amountMicros === 50_000_000)
  expect([raised.length, before.length]).toEqual([5, (await own()).length])
  await page.getByRole('button', { name: 'Undo' }).click()
  await page.getByText('20 wait again').waitFor()
  expect(await own()).toEqual(before)
  await page.getByText('1–20 of 20').waitFor()
  await page.getByLabel('Select all on this page').check()
  await page.keyboard.press('a')
  await page.getByText('Nothing is waiting').waitFor()
  const decisions = '/api/queue/decisions'
  expect(posts).toEqual([decisions, '/api/queue/reopen', decisions])
  await page
    .getByLabel(/^Page 1 of \d+$/)
    .first()
    .waitFor()
  expect(problems).toEqual([])
  await page.context().close()
})

test('by keyboard a request is declined with a reason, taken back, and opened', async () => {
  const { page, problems } = await office()
  const { db } = house.gateway
  for (const [itcode, reason] of [
    ['person-020', 'to compare'],
    ['person-021', 'to draw'],
  ] as const) {
    const [one] = await db.select().from(users).where(eq(users.itcode, itcode))
    const times = { createdAt: Date.now(), updatedAt: Date.now() }
    const asked = { userId: one?.id ?? 0, model: 'claude-fable-5-2', reason, status: 'pending' as const }
    await db.insert(applications).values({ ...asked, ...times })
  }
  await page.goto(`${house.gateway.url}/admin/requests`)
  await page.getByText('to compare').waitFor()
  await page.keyboard.press('j')
  await page.keyboard.press('d')
  await page.getByLabel('Answer to the applicant').fill('Opus does it too')
  await page.keyboard.press('Enter')
  await page.getByText('1 declined').waitFor()
  await page.getByText('Opus does it too').waitFor()
  const focused = () => page.evaluate('document.activeElement.textContent')
  await expect.poll(focused).toContain('person-021')
  await button(page, 'Undo').click()
  await page.getByText('1 waits again').waitFor()
  await page.getByText('to compare').waitFor()
  await page.keyboard.press('k')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog', { name: 'person-020: claude-fable-5-2' }).waitFor()
  expect([await faultsOf(page), problems]).toEqual([[], []])
  await page.context().close()
})

test("a person's page gets them a limit, ends a session, signs them out and says what happened", async () => {
  const other = await house.page(DESK)
  await house.signIn(other.page, 'person-299')
  const { page, problems } = await office()
  const [one] = await house.gateway.db.select().from(users).where(eq(users.itcode, 'person-299'))
  await page.goto(`${house.gateway.url}/admin/users/${one?.id}`)
  await page.getByRole('heading', { name: 'person-299' }).waitFor()
  await page.getByLabel('Amount in US dollars').fill('40')
  await button(page, 'Set limit').click()
  await page.getByText(/ of \$40\.00/).waitFor()
  await page
    .getByText(/admin (raised|lowered|set)/)
    .first()
    .waitFor()
  expect(await faultsOf(page)).toEqual([])
  await page.getByRole('button', { name: /^End .*Linux/ }).click()
  await page.getByText('Not signed in to the dashboard').waitFor()
  await other.page.reload()
  await other.page.waitForURL('**/login*')
  await house.signIn(other.page, 'person-299', { here: true })
  await button(page, 'Sign out everywhere').click()
  await page.locator('dialog[open]').getByRole('button', { name: 'Sign out everywhere' }).click()
  await page.getByText('Signed out everywhere').waitFor()
  await other.page.reload()
  await other.page.waitForURL('**/login*')
  expect(problems).toEqual([])
  for (const used of [page, other.page]) await used.context().close()
})

test('keys of everybody are found by what holds for them, switched off together and back, and narrowed', async () => {
  const [one] = await house.gateway.db.select().from(users).where(eq(users.itcode, 'person-000'))
  const key = { userId: one?.id ?? 0, prefix: 'sk-many', last4: '0000', status: 'active' as const }
  const rows = Array.from({ length: 30 }, (_, i) => {
    const times = { createdAt: Date.now(), updatedAt: Date.now() }
    return { ...key, ...times, name: `build ${i}`, hash: `build ${i}`, budgetMicros: i < 3 ? 0 : 5_000_000 }
  })
  await house.gateway.db.insert(apiKeys).values(rows)
  const { page, problems } = await office()
  await page.goto(`${house.gateway.url}/admin/keys?q=build&sort=name&order=asc`)
  await page.getByText('1–25 of 30').waitFor()
  await page.getByLabel('Without limits').check()
  await page.getByText('1–3 of 3').waitFor()
  expect(await faultsOf(page)).toEqual([])
  const isOff = async () => {
    const found = await house.gateway.db
      .select()
      .from(apiKeys)
      .where(and(like(apiKeys.name, 'build%'), eq(apiKeys.status, 'disabled')))
    return found.map(({ name }) => name).toSorted()
  }
  await page.getByLabel('Select all on this page').check()
  await button(page, 'Switch off').click()
  await page.getByText('3 keys changed').waitFor()
  expect(await isOff()).toEqual(['build 0', 'build 1', 'build 2'])
  await button(page, 'Undo').click()
  await page.getByText('Undone').waitFor()
  expect(await isOff()).toEqual([])
  await button(page, 'build 1').click()
  await page.getByLabel('US dollars per period').fill('12')
  await page.getByLabel('Models').fill('claude-haiku-*')
  expect(await faultsOf(page)).toEqual([])
  await button(page, 'Save').click()
  await page.getByText('1–2 of 2').waitFor()
  await page.getByLabel('Without limits').uncheck()
  await page.getByText('$12.00 per period').waitFor()
  await page.getByText('claude-haiku-*').waitFor()
  await page.locator('summary', { hasText: 'Columns' }).click()
  await page.getByRole('checkbox', { name: 'Spend', exact: true }).uncheck()
  expect(await faultsOf(page)).toEqual([])
  const [file] = await Promise.all([page.waitForEvent('download'), button(page, 'CSV').click()])
  const lines = readFileSync(await file.path(), 'utf8')
    .trim()
    .split('\r\n')
  expect(lines[0]).toBe('\ufeffName,Owner,State,Limits,Last used,Expires,Created'.trim())
  expect(lines).toHaveLength(26)
  expect(lines).toContainEqual(
    expect.stringMatching(/^build 1 sk-many…0000,person-000,Active,.*claude-haiku/),
  )
  await page.reload()
  await page.getByText('$12.00 per period').waitFor()
  expect(await page.getByRole('columnheader', { name: 'Spend' }).count()).toBe(0)
  expect(problems).toEqual([])
  await page.context().close()
})

test('groups are in the order of their numbers, and the link of what each cost says whose it is', async () => {
  const { page, problems } = await office()
  await page.goto(`${house.gateway.url}/admin/groups`)
  await page.getByRole('link', { name: /^Department 1: \$/ }).waitFor()
  const names = await page.locator('tbody th a').allTextContents()
  expect(names.slice(0, 12)).toEqual(Array.from({ length: 12 }, (_, n) => `Department ${n + 1}`))
  expect(problems).toEqual([])
  await page.context().close()
})
