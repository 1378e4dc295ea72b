/** A session that ends over a form: what was typed stays in the page, while they sign in beside it. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultsOf, type House, type Look, openHouse } from './house.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }
const PHONE: Look = { locale: 'en-US', scheme: 'dark', width: 360 }

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.stop())

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
const endSession = (page: Page) => page.evaluate(() => fetch('/api/auth/logout', { method: 'POST' }))
const over = (page: Page) => page.getByRole('dialog', { name: 'Sign in again' })

async function besides(page: Page): Promise<Page> {
  const opened = page.context().waitForEvent('page')
  await over(page).getByRole('button', { name: 'Sign in', exact: true }).click()
  const tab = await opened
  await tab.waitForURL('**/login?next=*')
  return tab
}

async function signInThere(tab: Page, account: string) {
  await tab.locator('input').first().fill(account)
  const before = house.codeOf(account)
  await tab.locator('button[type=submit]').click()
  await tab.locator('fieldset input').first().waitFor()
  await expect.poll(() => house.codeOf(account)).not.toBe(before)
  await tab.keyboard.type(house.codeOf(account).toLowerCase())
}

test.each([DESK, PHONE])('on $width px, what was typed is saved after signing in beside it', async (look) => {
  const { page, problems } = await house.page(look)
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/groups`)
  await button(page, 'Create group').click()
  const name = `Typed at ${look.width}`
  await page.getByLabel('Name', { exact: true }).fill(name)
  await endSession(page)
  await button(page, 'Save').click()
  await over(page).waitFor()
  expect(await faultsOf(page)).toEqual([])
  const tab = await besides(page)
  const closed = tab.waitForEvent('close')
  await signInThere(tab, 'admin')
  await closed
  await over(page).waitFor({ state: 'detached' })
  expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe(name)
  await button(page, 'Save').click()
  await page.getByText(name).first().waitFor()
  expect(await page.evaluate('JSON.stringify([{ ...sessionStorage }, { ...localStorage }])')).not.toContain(
    name,
  )
  expect(problems).toEqual([])
  await page.context().close()
})

test('another person who signs in beside it finds the page as theirs', async () => {
  const { page } = await house.page(DESK)
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/keys`)
  await button(page, 'New key').first().click()
  await page.getByLabel('Name', { exact: true }).fill('of admin')
  await endSession(page)
  await button(page, 'Create key').click()
  await signInThere(await besides(page), 'somebody')
  await over(page).waitFor({ state: 'detached' })
  await button(page, 'New key').first().waitFor()
  await expect.poll(() => page.locator('dialog[open]').count()).toBe(0)
  await page.context().close()
})

test('whoever does not want it is led to sign in here', async () => {
  const { page } = await house.page(DESK)
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/keys`)
  await button(page, 'New key').first().click()
  await page.getByLabel('Name', { exact: true }).fill('not wanted')
  await endSession(page)
  await button(page, 'Create key').click()
  await over(page).getByRole('button', { name: 'Leave without it' }).click()
  await page.waitForURL('**/login?next=%2Fkeys')
  await page.context().close()
})
