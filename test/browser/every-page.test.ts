/** Every page, in both languages, both themes, on a phone and on a desk. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultsOf, type House, type Look, openHouse } from './house.ts'
import { ADMIN_PAGES, OWN_PAGES } from './pages.ts'

const LOOKS: Look[] = [
  { locale: 'en-US', scheme: 'light', width: 1280 },
  { locale: 'zh-CN', scheme: 'dark', width: 360 },
  { locale: 'en-US', scheme: 'dark', width: 1920 },
]

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.stop())

test.each(LOOKS)(
  'passes the accessibility check, fits the screen and keeps to its policy in $locale, $scheme, $width px',
  async (look) => {
    const { page, problems } = await house.page(look)
    await page.goto(`${house.gateway.url}/login`)
    await page.locator('input').first().waitFor()
    expect([await page.title(), await faultsOf(page)]).toEqual([
      expect.stringContaining('Claude Gateway'),
      [],
    ])
    await house.signIn(page, 'admin')
    for (const path of [...OWN_PAGES, ...ADMIN_PAGES]) {
      await page.goto(house.gateway.url + path)
      await page.locator('h1').waitFor()
      expect([path, await faultsOf(page)]).toEqual([path, []])
    }
    expect(problems).toEqual([])
    await page.context().close()
  },
)
