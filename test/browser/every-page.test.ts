/** Every page, in both languages, both themes, on a phone and on a desk. */
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { groupMembers, groups, users } from '../../core/db/schema.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { callRecord } from '../support/records.ts'
import { faultsOf, type House, openHouse, show } from './house.ts'
import { ADMIN_PAGES, OWN_PAGES } from './pages.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.stop())

test.each([
  {
    name: 'on desks, in light and dark',
    locale: 'en-US',
    views: [
      { scheme: 'light', width: 1280 },
      { scheme: 'dark', width: 1920 },
    ],
  },
  { name: 'on a phone, in dark', locale: 'zh-CN', views: [{ scheme: 'dark', width: 360 }] },
] as const)(
  'passes the accessibility check, fits the screen and keeps to its policy in $locale, $name',
  async ({ locale, views }) => {
    const { page, problems } = await house.page({ locale, ...views[0] })
    const check = async (path: string) => {
      for (const view of views) {
        await show(page, view)
        expect([path, view, await faultsOf(page)]).toEqual([path, view, []])
      }
    }
    await page.goto(`${house.gateway.url}/login`)
    await page.locator('input').first().waitFor()
    expect(await page.title()).toContain('Claude Gateway')
    await check('/login')
    await house.signIn(page, 'admin')
    for (const path of [...OWN_PAGES, ...ADMIN_PAGES]) {
      await page.goto(house.gateway.url + path)
      await page.locator('h1').waitFor()
      await check(path)
    }
    expect(problems).toEqual([])
    await page.context().close()
  },
  180_000,
)

test('calls are not cut on a phone, and the menu shows where one is in a low window', async () => {
  const { page } = await house.page({ locale: 'en-US', scheme: 'light', width: 360 })
  await house.signIn(page, 'admin')
  const [admin] = await house.gateway.db.select().from(users).where(eq(users.itcode, 'admin'))
  const called = { userId: admin?.id ?? 0, createdAt: Date.now() }
  const outcomes = ['ok', 'upstream_cut'] as const
  const records = outcomes.map((outcome) => callRecord({ ...called, outcome }))
  await writeRecords(house.gateway.db, records.map(recordText))
  for (const path of ['/', `/admin/users/${called.userId}`, '/admin/usage']) {
    await page.goto(house.gateway.url + path)
    const calls = page.getByRole('region', { name: 'Requests' })
    await calls.getByRole('row').nth(1).waitFor()
    expect([path, await calls.evaluate((it) => it.scrollWidth - it.clientWidth)]).toEqual([path, 0])
  }
  await page.setViewportSize({ width: 1280, height: 500 })
  await page.goto(`${house.gateway.url}/admin/audit`)
  const here = page.getByRole('navigation').locator('[aria-current=page]')
  await expect.poll(async () => ((await here.boundingBox())?.y ?? 0) + 20).toBeLessThan(450)
  await page.context().close()
})

test('names that are one long word widen no page', async () => {
  const { page } = await house.page({ locale: 'en-US', scheme: 'light', width: 360 })
  await house.signIn(page, 'admin')
  const { db } = house.gateway
  const [admin] = await db.select().from(users).where(eq(users.itcode, 'admin'))
  const name = 'Abcdefghijklmnopqrstuvwxyz'.repeat(3)
  const times = { createdAt: 1, updatedAt: 1 }
  await db
    .insert(users)
    .values({ id: 301, itcode: name, name: `${name}!`, role: 'user', status: 'active', ...times })
  await db.insert(groups).values({ id: 301, name, source: 'direct', bills: true, ...times })
  const members = [301, admin?.id ?? 0].map((userId) => ({
    groupId: 301,
    userId,
    role: 'lead' as const,
    createdAt: 1,
  }))
  await db.insert(groupMembers).values(members)
  const called = { project: name, createdAt: Date.now() }
  const records = members.map(({ userId }) => callRecord({ ...called, billingGroupIds: [301], userId }))
  await writeRecords(db, records.map(recordText))
  const wide: string[] = []
  const named = ['/admin/users/301', '/admin/groups/301', '/admin/statements/301', '/explore?by=project']
  for (const path of [...OWN_PAGES, ...ADMIN_PAGES, ...named]) {
    await page.goto(house.gateway.url + path)
    await page.locator('h1').waitFor()
    await page.waitForSelector('[aria-busy=true]', { state: 'detached' })
    const over: number = await page.evaluate(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    )
    if (over > 0) wide.push(`${path} by ${over}`)
  }
  expect(wide).toEqual([])
  // Nor does a statement hide its costs.
  const month = new Date()
  const dates = [Date.now(), Date.UTC(month.getUTCFullYear(), month.getUTCMonth(), 0)]
  const paid = dates.map((createdAt) =>
    callRecord({ billingGroupIds: [301], userId: 301, costMicros: 12_345_670_000, createdAt }),
  )
  await writeRecords(db, paid.map(recordText))
  await page.goto(`${house.gateway.url}/admin/statements`)
  const costs = page.getByRole('region', { name: 'By group' })
  await costs.getByText('$12,345.67').first().waitFor()
  expect(await costs.evaluate((it) => it.scrollWidth - it.clientWidth)).toBe(0)
  await page.context().close()
})
