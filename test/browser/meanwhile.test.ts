/** Two tabs, or two administrators, at the same thing: what one of them did not touch stays as the other set it. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as z from 'zod'
import { type House, type Look, openHouse } from './house.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.stop())

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
const dialog = (page: Page) => page.locator('dialog[open]')

/** The same administrator in another tab. */
function elsewhere(page: Page) {
  const headers = { origin: house.gateway.url }
  const at = (path: string) => `${house.gateway.url}/admin/api/${path}`
  return {
    post: async (path: string, data: object) => (await page.request.post(at(path), { data, headers })).json(),
    put: async (path: string, data: object) => (await page.request.put(at(path), { data, headers })).json(),
    get: async (path: string) => (await page.request.get(at(path))).json(),
  }
}
const Made = z.object({ id: z.number() })

test('a form that was opened before does not take back what somebody else changed meanwhile', async () => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'admin')
  const tab = elsewhere(page)

  const { id } = Made.parse((await tab.post('users', { itcode: 'rui', role: 'admin' })).user)
  await page.goto(`${house.gateway.url}/admin/users/${id}`)
  await button(page, 'Edit').click()
  await page.getByLabel('Name', { exact: true }).fill('Rui')
  await tab.put(`users/${id}`, { role: 'user', budget_usd: 7 })
  await button(page, 'Save').click()
  await dialog(page).waitFor({ state: 'detached' })
  expect((await tab.get(`users/${id}`)).user).toMatchObject({ name: 'Rui', role: 'user', budget_usd: 7 })

  const group = Made.parse((await tab.post('groups', { name: 'Research' })).group)
  await page.goto(`${house.gateway.url}/admin/groups/${group.id}`)
  await button(page, 'Edit').click()
  await page.getByLabel('Name', { exact: true }).fill('Science')
  await tab.put(`groups/${group.id}`, { lead_max_usd: 30, bills: false })
  await button(page, 'Save').last().click()
  await page.getByRole('heading', { name: 'Science' }).waitFor()
  expect((await tab.get(`groups/${group.id}`)).group).toMatchObject({ lead_max_usd: 30, bills: false })

  await page.getByLabel('Closed').fill('claude-opus-*')
  await tab.put(`groups/${group.id}/models`, { allow: ['claude-haiku-*'] })
  await button(page, 'Save').last().click()
  await page.getByText('The models hold from the next call on').waitFor()
  const { models } = await tab.get(`groups/${group.id}`)
  expect(models).toEqual({ allow: ['claude-haiku-*'], deny: ['claude-opus-*'] })
  expect(await page.getByLabel('Open', { exact: false }).first().inputValue()).toBe('claude-haiku-*')
  expect(problems).toEqual([])
  await page.context().close()
})

test('where somebody else signs in in another tab, this one is theirs, too, before anything is pressed', async () => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'yuki')
  await page.goto(`${house.gateway.url}/keys`)
  await page.getByRole('button', { name: 'yuki' }).waitFor()
  const other = await page.context().newPage()
  await other.goto(house.gateway.url)
  // Their session ends by itself.
  await other.request.post(`${house.gateway.url}/api/auth/logout`, { headers: { origin: house.gateway.url } })
  await house.signIn(other, 'noah')
  await page.getByRole('button', { name: 'noah' }).waitFor()
  expect([new URL(page.url()).pathname, problems]).toEqual(['/keys', []])
  await page.context().close()
})

test('models that were typed for one group are not saved for another that the palette led to', async () => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'admin')
  const tab = elsewhere(page)
  const [first, second] = [
    Made.parse((await tab.post('groups', { name: 'First' })).group),
    Made.parse((await tab.post('groups', { name: 'Second' })).group),
  ]
  await page.goto(`${house.gateway.url}/admin/groups/${first.id}`)
  await page.getByLabel('Closed').fill('claude-opus-*')
  await page.keyboard.press('Control+k')
  await page.getByRole('dialog').getByRole('combobox').fill('Second')
  await page.getByRole('dialog').getByText('Second').click()
  await page.getByRole('heading', { name: 'Second' }).waitFor()
  expect(await page.getByLabel('Closed').inputValue()).toBe('')
  await button(page, 'Save').click()
  await page.getByText('The models hold from the next call on').waitFor()
  expect((await tab.get(`groups/${second.id}`)).models).toEqual({ allow: [], deny: [] })
  expect(problems).toEqual([])
  await page.context().close()
})
