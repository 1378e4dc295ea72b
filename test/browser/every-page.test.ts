/** Every page, in both languages, both themes, on a phone and on a desk, with names that are one long word. */
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { groupMembers, groups, users } from '../../core/db/schema.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { callRecord } from '../support/records.ts'
import { faultsOf, type House, openHouse, show } from './house.ts'
import { ADMIN_PAGES, OWN_PAGES } from './pages.ts'

const LONG_NAME = 'Abcdefghijklmnopqrstuvwxyz'.repeat(3)
const NAMED_PAGES = ['/admin/users/301', '/admin/groups/301', '/admin/statements/301', '/explore?by=project']

let house: House
beforeAll(async () => {
  house = await openHouse()
  const { page } = await house.page({ locale: 'en-US', scheme: 'light', width: 360 })
  await house.signIn(page, 'admin')
  await page.context().close()
  await addLongNames()
})
afterAll(() => house?.stop())

const adminId = async () => {
  const [admin] = await house.gateway.db.select().from(users).where(eq(users.itcode, 'admin'))
  return admin?.id ?? 0
}

/** A person, a group and a project whose names are one long word, and what both members of the group were asked to pay. */
async function addLongNames() {
  const { db } = house.gateway
  const times = { createdAt: 1, updatedAt: 1 }
  await db.insert(users).values({
    id: 301,
    itcode: LONG_NAME,
    name: `${LONG_NAME}!`,
    role: 'user',
    status: 'active',
    ...times,
  })
  await db.insert(groups).values({ id: 301, name: LONG_NAME, source: 'direct', bills: true, ...times })
  const members = [301, await adminId()].map((userId) => ({
    groupId: 301,
    userId,
    role: 'lead' as const,
    createdAt: 1,
  }))
  await db.insert(groupMembers).values(members)
  const called = { project: LONG_NAME, createdAt: Date.now() }
  const records = members.map(({ userId }) => callRecord({ ...called, billingGroupIds: [301], userId }))
  await writeRecords(db, records.map(recordText))
}

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
    for (const path of [...OWN_PAGES, ...ADMIN_PAGES, ...NAMED_PAGES]) {
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
  const called = { userId: await adminId(), createdAt: Date.now() }
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

test('a statement hides no costs on a phone', async () => {
  const { page } = await house.page({ locale: 'en-US', scheme: 'light', width: 360 })
  await house.signIn(page, 'admin')
  const month = new Date()
  const dates = [Date.now(), Date.UTC(month.getUTCFullYear(), month.getUTCMonth(), 0)]
  const paid = dates.map((createdAt) =>
    callRecord({ billingGroupIds: [301], userId: 301, costMicros: 12_345_670_000, createdAt }),
  )
  await writeRecords(house.gateway.db, paid.map(recordText))
  await page.goto(`${house.gateway.url}/admin/statements`)
  const costs = page.getByRole('region', { name: 'By group' })
  await costs.getByText('$12,345.67').first().waitFor()
  expect(await costs.evaluate((it) => it.scrollWidth - it.clientWidth)).toBe(0)
  await page.context().close()
})
