/** Every page, in both languages, both themes, on a phone and on a desk. */
import { afterAll, beforeAll, expect, test } from 'vitest'
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
