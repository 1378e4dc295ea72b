/** Accounts that were deleted: found, brought back, and freed of their names. */
import { inArray } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { users } from '../../core/db/schema.ts'
import { faultsOf, type House, openHouse } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
  const [gone, erased] = [{ status: 'disabled', deletedAt: 2 } as const, { itcode: '#203', name: '#203' }]
  await house.gateway.db.insert(users).values(
    [
      { id: 201, itcode: 'left', name: 'Lea Left', ...gone },
      { id: 202, itcode: 'namesake', name: 'Nam Esake', ...gone },
      { id: 203, ...erased, ...gone },
      { id: 204, itcode: 'still', name: 'Still Here' },
    ].map((one) => ({
      role: 'user' as const,
      status: 'active' as const,
      ...one,
      createdAt: 1,
      updatedAt: 1,
    })),
  )
})
afterAll(() => house?.stop())

const button = (name: string) => ['button', { name, exact: true }] as const

test('are found in the list of users, brought back, and their names are freed', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/users`)
  await page.getByRole('link', { name: 'still' }).waitFor()
  expect(await page.getByRole('link', { name: 'left' }).count()).toBe(0)
  await page.getByRole('combobox', { name: 'Status' }).selectOption('Deleted')
  await page.getByRole('link', { name: 'left' }).waitFor()
  await expect.poll(() => page.locator('tbody tr').count()).toBe(3)
  expect(await faultsOf(page)).toEqual([])

  await page.getByRole('link', { name: 'left' }).click()
  await page.getByRole(...button('Bring back')).click()
  expect(await faultsOf(page)).toEqual([])
  await page
    .locator('dialog[open]')
    .getByRole(...button('Bring back'))
    .click()
  await page.getByText('They can sign in again', { exact: true }).waitFor()
  await page.getByRole(...button('Disable')).waitFor()

  await page.goto(`${house.gateway.url}/admin/users/202`)
  await page.getByRole(...button('Free the name')).click()
  await page
    .locator('dialog[open]')
    .getByRole(...button('Free the name'))
    .click()
  await page.getByRole('heading', { name: 'namesake#202' }).waitFor()
  expect(await page.getByRole(...button('Free the name')).count()).toBe(0)
  // Somebody else has it now.
  await house.gateway.db
    .update(users)
    .set({ itcode: 'namesake' })
    .where(inArray(users.id, [204]))
  await page.getByRole(...button('Bring back')).click()
  await page
    .locator('dialog[open]')
    .getByRole(...button('Bring back'))
    .click()
  await page.getByText('Somebody else has this name by now.').waitFor()

  await page.goto(`${house.gateway.url}/admin/users/203`)
  await page.getByRole('heading', { name: '#203' }).waitFor()
  expect(await page.getByRole(...button('Bring back')).count()).toBe(0)
  expect(await page.getByRole(...button('Erase for good')).count()).toBe(0)

  await page.goto(`${house.gateway.url}/admin/users/202`)
  await page.getByRole(...button('Erase for good')).click()
  const dialog = page.getByRole('dialog', { name: 'Erase who namesake#202 was?' })
  const erase = dialog.getByRole(...button('Erase for good'))
  await dialog.getByLabel('Type namesake#202 to confirm').fill('namesake')
  expect(await erase.isDisabled()).toBe(true)
  await page.keyboard.press('Enter')
  await page.keyboard.type('#202')
  expect(await faultsOf(page)).toEqual([])
  await erase.click()
  await page.getByRole('heading', { name: '#202', exact: true }).waitFor()
  await page.getByText('admin erased the name of #202 everywhere').waitFor()
  expect(problems).toEqual([])
  await page.context().close()
})
