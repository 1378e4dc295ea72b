/** Keys of programs that administer: made, used and revoked. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultsOf, type House, openHouse } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.stop())

const button = (name: string) => ['button', { name, exact: true }] as const

test('an administrator makes one for a directory, its secret opens that and nothing else, and it is revoked', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 390 })
  const dialog = page.locator('dialog[open]')
  const status = async (path: string, secret: string) =>
    (await fetch(`${house.gateway.url}${path}`, { headers: { authorization: `Bearer ${secret}` } })).status
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/admin-keys`)
  await page.getByText('There is no admin key').waitFor()
  const make = async () => {
    await page.getByRole(...button('New admin key')).click()
    await dialog.getByLabel('Name').fill('Okta')
    await dialog.getByLabel('Rights').selectOption('Directory (SCIM)')
    await dialog.getByRole(...button('Create key')).click()
  }
  await make()
  await dialog.getByText('The base URL for the directory:').waitFor()
  expect(await faultsOf(page)).toEqual([])
  const secret = (await dialog.locator('code').first().innerText()).trim()
  expect(secret).toMatch(/^sk-admin-/)
  await dialog.getByText(`${house.gateway.url}/scim/v2`).waitFor()
  await dialog.getByRole(...button('I have copied it')).click()
  await page.getByRole('rowheader', { name: 'Okta' }).waitFor()
  expect(await faultsOf(page)).toEqual([])
  expect(await status('/scim/v2/Users', secret)).toBe(200)
  expect(await status('/v1/organizations/users', secret)).toBe(403)

  await make()
  await dialog.getByText('There is an admin key of this name already.').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole(...button('Revoke Okta')).click()
  const asked = page.getByRole('dialog', { name: 'Revoke Okta?' })
  await asked.getByRole(...button('Revoke')).click()
  await page.getByText('There is no admin key').waitFor()
  expect(await status('/scim/v2/Users', secret)).toBe(401)
  expect(problems).toEqual([])
  await page.context().close()
})
