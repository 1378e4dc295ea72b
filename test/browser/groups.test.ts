/** A department is made with its limits, models, members and lead, and the page says what it cost. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultsOf, type House, openHouse } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.stop())

test('a department is made, gets a limit, a lead and a closed model, and is deleted again', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'ann')
  await page.context().clearCookies()
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/groups`)
  await page.getByText('There are no groups yet').waitFor()
  await page.getByRole('button', { name: 'Create group' }).click()
  await page.getByLabel('Name', { exact: true }).fill('Research')
  await page.getByLabel('Highest limit that leads may give, US dollars').fill('200')
  expect(await faultsOf(page)).toEqual([])
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Research' }).waitFor()
  await page.getByText('Leads give up to $200.00').waitFor()

  await page.getByLabel('Amount in US dollars').fill('0')
  await page.getByRole('button', { name: 'Set limit' }).click()
  const used = page.getByRole('meter', { name: 'All together · Each month' })
  await expect.poll(() => used.getAttribute('aria-valuenow')).toBe('100')
  await page.getByLabel('Amount in US dollars').fill('5000')
  await page.getByRole('button', { name: 'Set limit' }).click()
  await expect.poll(() => used.getAttribute('aria-valuenow')).toBe('0')
  await page.getByText('$5,000.00').waitFor()

  await page.getByRole('combobox', { name: 'Add a person' }).fill('ann')
  await page.getByRole('option', { name: 'ann' }).click()
  await page.getByRole('button', { name: 'Make lead' }).click()
  await page.getByRole('button', { name: 'Make member' }).waitFor()
  // Who leads it goes on leading it.
  await page.getByRole('combobox', { name: 'Add a person' }).fill('ann')
  const again = page.waitForResponse(/members\/\d+$/)
  await page.getByRole('option', { name: 'ann' }).click()
  await again
  await page.getByRole('button', { name: 'Make member' }).waitFor()

  await page.getByLabel('Closed').fill('claude-fable-*')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('The models hold from the next call on').waitFor()
  const models = (await page.request.get(`${house.gateway.url}/admin/api/groups`)).json()
  expect((await models).groups).toContainEqual(
    expect.objectContaining({ name: 'Research', members: 1, leads: 1, lead_max_usd: 200 }),
  )
  expect(await faultsOf(page)).toEqual([])

  const groups = (await (await page.request.get(`${house.gateway.url}/admin/api/groups`)).json()).groups
  const { id } = groups.find((group: { name: string }) => group.name === 'Research')
  const robot = { itcode: 'robot', kind: 'service', billing_group_id: id }
  const headers = { origin: house.gateway.url }
  const made = await page.request.post(`${house.gateway.url}/admin/api/users`, { data: robot, headers })
  expect(made.status()).toBe(201)
  await seeAsLead()

  await page.goto(`${house.gateway.url}/admin/groups`)
  await page.getByRole('row', { name: /Research.*\d · 1 lead.*\$0\.00 of \$5,000\.00/ }).waitFor()
  await page.getByText('The company has no limits of its own.').waitFor()
  await page.getByLabel('Amount in US dollars').fill('9000')
  await page.getByRole('button', { name: 'Set limit' }).click()
  await page.getByText('Everybody together · Each month').waitFor()
  await page.getByText('$0.00 of $9,000.00').waitFor()
  expect(await faultsOf(page)).toEqual([])
  await page.getByRole('link', { name: 'Research', exact: true }).click()
  await page.getByRole('button', { name: 'Delete' }).click()
  await page.locator('dialog[open]').getByRole('button', { name: 'Delete' }).click()
  await page.getByText('There are no groups yet').waitFor()
  expect(problems).toEqual([])
  await page.context().close()
})

/** Who leads the department sees its limit and people, and makes the keys of its programs. */
async function seeAsLead() {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'ann')
  await page.getByRole('link', { name: 'My groups' }).click()
  await page.getByText('$0.00 of $5,000.00').waitFor()
  await page.getByRole('link', { name: 'ann: $0.00 this month' }).waitFor()
  await page.getByRole('button', { name: 'Keys of robot' }).click()
  await page.getByRole('button', { name: 'New key' }).first().click()
  await page.getByLabel('Name', { exact: true }).fill('ci')
  expect(await faultsOf(page)).toEqual([])
  await page.keyboard.press('Enter')
  await page
    .getByText(/^sk-\w{20,}/)
    .first()
    .waitFor()
  await page.getByRole('button', { name: 'I have copied it' }).click()
  await page.getByText('ci', { exact: true }).waitFor()
  expect([await faultsOf(page), problems]).toEqual([[], []])
  await page.context().close()
}
