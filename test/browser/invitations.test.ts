/** Invitations: made from a list, seen with what became of them, and taken back. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultsOf, type House, openHouse } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.stop())

const button = (name: string) => ['button', { name, exact: true }] as const

test('an administrator sees who was invited and takes an invitation back, whose link stops working', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'dark', width: 1280 })
  const dialog = page.locator('dialog[open]')
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/users`)
  await page.getByRole('link', { name: 'Invitations' }).click()
  await page.getByText('No invitation', { exact: true }).waitFor()
  await page.getByRole(...button('Invite')).click()
  await dialog.getByRole('textbox').fill('ann@corp.test, Ann\nbob@corp.test')
  await dialog.getByRole(...button('Create invitations')).click()
  const secret = /^bob@corp\.test (\S+)$/m.exec(await dialog.locator('pre').innerText())?.[1] ?? ''
  const status = async () => {
    const answer = await fetch(`${house.gateway.url}/api/auth/invitation`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ invitation: secret }),
    })
    return answer.status
  }
  expect(await status()).toBe(200)
  await dialog.getByRole(...button('Close')).click()
  const bob = page.getByRole('row', { name: /bob@corp\.test/ })
  await bob.getByText('Open', { exact: true }).waitFor()
  expect(await faultsOf(page)).toEqual([])
  await bob.getByRole('checkbox').check()
  await page.getByRole(...button('Take back')).click()
  const asked = page.getByRole('dialog', { name: 'Take back the invitation for bob@corp.test?' })
  await asked.getByRole(...button('Take back')).click()
  await bob.getByText('Taken back', { exact: true }).waitFor()
  expect(await status()).toBe(403)
  // It cannot be taken back again.
  await bob.getByRole('checkbox').check()
  expect(await page.getByRole(...button('Take back')).isDisabled()).toBe(true)
  await page.getByRole('combobox', { name: 'Status' }).selectOption('Open')
  await bob.waitFor({ state: 'detached' })
  expect(await page.locator('tbody tr').count()).toBe(1)
  expect(problems).toEqual([])
  await page.context().close()
})
