/** What Claude Code runs with on people's machines: policies, and the devices that have them or not. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiKeys, users } from '../../core/db/schema.ts'
import { faultsOf, type House, type Look, openHouse } from './house.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }

let house: House
beforeAll(async () => {
  house = await openHouse()
  const { db } = house.gateway
  const times = { createdAt: Date.now(), updatedAt: Date.now() }
  const [ann] = await db
    .insert(users)
    .values({ itcode: 'ann', name: 'Ann', role: 'user', status: 'active', ...times })
    .returning()
  await db.insert(apiKeys).values({
    userId: ann?.id ?? 0,
    name: 'server',
    hash: 'server',
    prefix: 'device',
    last4: '0000',
    status: 'active',
    kind: 'device',
    ...times,
  })
})
afterAll(() => house?.stop())

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
async function office(look = DESK) {
  const { page, problems } = await house.page(look)
  await house.signIn(page, 'admin')
  return { page, problems }
}

test('a policy is made by its form, shown for a person, changed as JSON, and rolled back', async () => {
  const { page, problems } = await office()
  await page.goto(`${house.gateway.url}/admin/policies`)
  await page.getByRole('link', { name: 'New policy' }).click()
  await page.getByLabel('Name').fill('everybody')
  await page.getByLabel('Denied').fill('WebFetch\nRead(./.env)')
  await page.getByLabel('Available models').fill('haiku')
  await page.getByLabel('Environment').fill('A=1=2')
  expect(await faultsOf(page)).toEqual([])
  await button(page, 'Save').click()
  await page.getByText('availableModels leaves out').waitFor()
  await page.getByLabel('Begin with an available model').check()
  await button(page, 'Save').click()
  await page.getByText('availableModels leaves out').waitFor({ state: 'detached' })

  await page.goto(`${house.gateway.url}/admin/policies`)
  await page.getByText('No warnings').waitFor()
  await page.getByLabel('Person').fill('ann')
  await page.getByRole('option', { name: 'ann' }).click()
  await page.getByText('By everybody').waitFor()
  expect(await page.locator('pre').textContent()).toContain('"A": "1=2"')

  await page.getByRole('link', { name: 'everybody' }).click()
  await button(page, 'Edit as JSON').click()
  const document = page.getByLabel('Managed settings (JSON)')
  await document.fill('{"model": ')
  await page.getByText('This is no JSON object.').waitFor()
  expect(await button(page, 'Save').isDisabled()).toBe(true)
  await document.fill('{"model": 1}')
  await button(page, 'Save').click()
  await page.getByText('settings.model').waitFor()
  await document.fill('{"model": "sonnet"}')
  await button(page, 'Save').click()
  await expect.poll(() => button(page, 'View').count()).toBe(3)
  await button(page, 'View').last().click()
  await button(page, 'Roll back to this').click()
  await expect.poll(() => page.getByLabel('Denied').inputValue()).toBe('WebFetch\nRead(./.env)')
  expect(problems).toEqual([])
  await page.context().close()
})

test('an auditor sees both and changes neither', async () => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'otto')
  await house.gateway.db.update(users).set({ role: 'auditor' })
  await page.goto(`${house.gateway.url}/admin/policies`)
  await page.getByRole('link', { name: 'everybody' }).waitFor()
  expect(await page.getByRole('link', { name: 'New policy' }).count()).toBe(0)
  await page.getByRole('link', { name: 'everybody' }).click()
  await button(page, 'View').first().waitFor()
  expect(await button(page, 'Save').count()).toBe(0)
  await page.goto(`${house.gateway.url}/admin/devices`)
  await page.getByText('server').waitFor()
  expect(await page.getByRole('checkbox').count()).toBe(0)
  expect(problems).toEqual([])
  await page.context().close()
})
