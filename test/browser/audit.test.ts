/** The audit as sentences: found by person, action and text, led from to what it is about, taken along as a file. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultsOf, type House, type Look, openHouse } from './house.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }
const PHONE: Look = { locale: 'zh-CN', scheme: 'dark', width: 360 }

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.stop())

test('is read in words, filtered, followed to a person and downloaded', async () => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'admin')
  const ann = await page.evaluate(`(async () => {
    const send = async (method, path, body) => (await fetch(path, {
      method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
    })).json()
    const { user } = await send('POST', '/admin/api/users', { itcode: 'ann', name: 'Ann', budget_usd: 200 })
    await send('PUT', '/admin/api/users/' + user.id, { budget_usd: 300 })
    await send('PUT', '/admin/api/users/' + user.id, { role: 'auditor' })
    return user.id
  })()`)
  await page.goto(`${house.gateway.url}/admin/audit`)
  const rows = page.locator('tbody th')
  await expect.poll(() => rows.count()).toBeGreaterThan(3)
  const told = (await rows.allTextContents()).map((text) => text.replaceAll(/\s+/g, ' ').trim())
  expect(told[0]).toBe('admin changed the role of ann from User to Auditor')
  expect(told[1]).toBe('admin raised the limit of ann from $200.00 to $300.00')
  expect(told[3]).toBe('admin signed in')
  expect(await faultsOf(page)).toEqual([])

  const action = page.getByRole('combobox', { name: 'Action' })
  await action.fill('made the account')
  await page.getByRole('option', { name: 'Made the account' }).click()
  await page.waitForURL('**/admin/audit?action=user.create')
  await expect
    .poll(async () => (await rows.allTextContents()).map((text) => text.includes('made the account')))
    .toEqual([true, true, true])
  // What is on stands as words below the fields, and goes by the keyboard, too.
  await page.goto(`${house.gateway.url}/admin/audit?action=user.create&about=${ann}`)
  const chips = page.getByRole('list', { name: 'Active filters' }).getByRole('button')
  for (const name of ['About whom: ann', 'Action: Made the account …']) {
    await page.getByRole('button', { name: `Remove the filter ${name}`, exact: true }).waitFor()
  }
  expect(await faultsOf(page)).toEqual([])
  await chips.first().focus()
  await page.keyboard.press('Enter')
  await page.waitForURL('**/admin/audit?action=user.create')
  await expect.poll(() => chips.first().evaluate((chip) => chip.matches(':focus'))).toBe(true)
  await page.keyboard.press('Enter')
  await page.waitForURL((url) => url.search === '')
  expect(await chips.count()).toBe(0)
  await page.goto(`${house.gateway.url}/admin/audit?action=user.create&about=${ann}`)
  await chips.last().click()
  await page.waitForURL((url) => url.search === '')
  await page.goto(`${house.gateway.url}/admin/audit?action=user.create`)
  const download = page.waitForEvent('download')
  await page.getByRole('link', { name: 'CSV' }).click()
  expect((await download).suggestedFilename()).toBe('audit.csv')
  await page.goto(`${house.gateway.url}/admin/audit?q=auditor`)
  await page.locator('tbody').getByRole('link', { name: 'ann' }).click()
  await page.waitForURL(`**/admin/users/${ann}`)
  expect(problems).toEqual([])
  await page.context().close()
})

test('is readable on a phone', async () => {
  const { page, problems } = await house.page(PHONE)
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/audit`)
  const sentence = page.locator('li', { hasText: '成为首位管理员' }).locator('span').first()
  await sentence.waitFor()
  // A sentence of one letter a line would be narrow.
  expect((await sentence.boundingBox())?.width).toBeGreaterThan(250)
  expect([await faultsOf(page), problems]).toEqual([[], []])
  await page.context().close()
})
