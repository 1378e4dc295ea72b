/** The page of a person: leaving keys behind, being deleted, identities; and the accounts of programs that go on without them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultsOf, type House, openHouse } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.stop())

const button = (name: string) => ['button', { name, exact: true }] as const
const ASK = { model: 'claude-haiku-5-5', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }

test('a service account is made, and takes over the key of a program before its person is deleted', async () => {
  const { gateway } = house
  const { secret, userId } = await gateway.newKey({ itcode: 'leaver' })
  const call = async () => {
    const answer = await gateway.send(ASK, { key: secret, headers: { 'user-agent': 'python-httpx/1' } })
    await answer.text()
    return answer.status
  }
  await expect.poll(call).toBe(200)
  await gateway.rows(1)
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  const dialog = page.locator('dialog[open]')
  await house.signIn(page, 'leaver')
  await page.context().clearCookies()
  await house.signIn(page, 'admin')

  await page.goto(`${gateway.url}/admin/users`)
  await page.getByRole(...button('New user')).click()
  await dialog.getByLabel('Kind').selectOption('Service account')
  expect(await dialog.getByLabel('Role').count()).toBe(0)
  await dialog.getByLabel('Account', { exact: true }).fill('robot')
  await dialog.getByLabel('US dollars per period').fill('5')
  expect(await faultsOf(page)).toEqual([])
  await dialog.getByRole(...button('Create user')).click()
  await dialog.waitFor({ state: 'detached' })
  await page.getByRole('combobox', { name: 'Kind' }).selectOption('Service account')
  await expect.poll(() => page.locator('tbody tr').count()).toBe(1)
  await page.getByRole('link', { name: 'robot' }).click()
  await page.getByRole(...button('New key')).click()
  await dialog.getByLabel('Name').fill('nightly')
  await dialog.getByRole(...button('Create key')).click()
  await dialog.getByRole(...button('I have copied it')).click()
  await page.getByRole('group', { name: 'What to do with nightly' }).waitFor()
  expect(await faultsOf(page)).toEqual([])

  await page.goto(`${gateway.url}/admin/users/${userId}`)
  await page.getByRole(...button('Delete')).click()
  await dialog.getByText('Used by a program').waitFor()
  await dialog.getByText(/^python: 1 call/).waitFor()
  await dialog.getByRole('combobox', { name: 'Service account that keys go to' }).fill('robot')
  await dialog.getByRole('option', { name: 'robot' }).click()
  expect(await faultsOf(page)).toEqual([])
  await dialog.getByRole(...button('Move test')).click()
  await page.getByText('test is moved').waitFor()
  await dialog.getByRole(...button('Move test')).waitFor({ state: 'detached' })
  await dialog.getByRole(...button('Delete')).click()
  await page.getByText('leaver is deleted').waitFor()
  await page.getByRole(...button('Bring back')).waitFor()
  // What ended is gone from the page, too.
  await page.getByText('Not signed in to the dashboard.').waitFor()
  expect(await call()).toBe(200)
  expect(problems).toEqual([])
  await page.context().close()
})

test('the last administrator is not deleted, and the dialog says why', async () => {
  const { page, problems } = await house.page({ locale: 'zh-CN', scheme: 'dark', width: 390 })
  const dialog = page.locator('dialog[open]')
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/users`)
  await page.getByRole('link', { name: 'admin' }).click()
  await page.getByRole(...button('删除')).click()
  expect(await faultsOf(page)).toEqual([])
  await dialog.getByRole(...button('删除')).click()
  await dialog.getByRole('alert').waitFor()
  expect(await faultsOf(page)).toEqual([])
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  expect(problems).toEqual([])
  await page.context().close()
})

test('an identity is joined to somebody with rights, only once, and parted', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'dark', width: 390 })
  const dialog = page.locator('dialog[open]')
  const me = { issuer: 'https://id.corp.test', subject: '00u1' }
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/users`)
  await page.getByRole('link', { name: 'admin' }).click()
  await page.getByText('None was joined. They sign in by a mailed code.').waitFor()
  const join = async () => {
    await page.getByRole(...button('Join')).click()
    await dialog.getByLabel('Issuer').fill(me.issuer)
    await dialog.getByLabel('Their id there').fill(me.subject)
    expect(await faultsOf(page)).toEqual([])
    await dialog.getByRole(...button('Join')).click()
  }
  await join()
  await page.getByText(me.issuer, { exact: true }).waitFor()
  await dialog.waitFor({ state: 'detached' })
  await join()
  await dialog.getByText('Somebody signs in by this identity already.').waitFor()
  await page.keyboard.press('Escape')
  expect(await faultsOf(page)).toEqual([])
  await page.getByRole(...button(`Part ${me.issuer}`)).click()
  await dialog.getByRole(...button('Part')).click()
  await page.getByText('None was joined. They sign in by a mailed code.').waitFor()
  expect(problems).toEqual([])
  await page.context().close()
})
