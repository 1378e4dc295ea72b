/** Channels of notices on their page: set up, tried, changed and removed, and nobody reads an address there. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { users } from '../../core/db/schema.ts'
import { type Receiver, SECRET, startReceiver } from '../support/receivers.ts'
import { faultsOf, type House, type Look, openHouse } from './house.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }
let house: House
let webhook: Receiver
beforeAll(async () => {
  webhook = await startReceiver('webhook')
  house = await openHouse({
    secrets: { key: 'f3Q0mZ7xV1cN8bL5kT2wR9dJ4hS6gP0aYuE' },
    notify: { allow_private: true },
  })
})
afterAll(async () => {
  await house?.stop()
  await webhook.stop()
})

const dialog = (page: Page) => page.locator('dialog[open]')
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
const inDialog = (page: Page, name: string) => dialog(page).getByRole('button', { name, exact: true })
async function faultsEverywhere(page: Page) {
  const found: string[] = []
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 })
    found.push(...(await faultsOf(page)))
  }
  await page.setViewportSize({ width: 1280, height: 800 })
  return found
}

test('a channel is set up with the keyboard, tried, changed and removed', async () => {
  const { page, problems } = await house.page(DESK)
  const answers: Promise<string>[] = []
  page.on('response', (response) => answers.push(response.text().catch(() => '')))
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/notices`)
  await page.getByText('No channels').waitFor()
  await button(page, 'Add channel').focus()
  await page.keyboard.press('Enter')
  await dialog(page).waitFor()
  await page.keyboard.type('Operations')
  const typed = [`${webhook.url}/hidden-path`, SECRET]
  await dialog(page).getByLabel('Language').focus()
  for (const text of typed) {
    await page.keyboard.press('Tab')
    await page.keyboard.type(text)
  }
  await page.keyboard.press('Tab')
  await page.keyboard.press('Space')
  expect(await faultsEverywhere(page)).toEqual([])
  await dialog(page).getByLabel('The whole audit').check()
  await inDialog(page, 'Add channel').focus()
  await page.keyboard.press('Enter')
  await page.getByText('Application made, The whole audit').waitFor()
  expect(await faultsEverywhere(page)).toEqual([])
  await button(page, 'Test').click()
  await page.getByText('Operations took the message').waitFor()
  expect(webhook.received.length).toBeGreaterThan(0)
  webhook.will('refuse')
  await button(page, 'Test').click()
  await page.getByText('Operations did not take the message').waitFor()
  await button(page, 'Change').click()
  await dialog(page).getByText('it stays as it is').waitFor()
  expect(await dialog(page).getByLabel('Secret').count()).toBe(0)
  await dialog(page).getByLabel('It is told of events').uncheck()
  await inDialog(page, 'Save').click()
  await page.getByText('Switched off').waitFor()
  await button(page, 'Remove').click()
  await inDialog(page, 'Remove').click()
  await page.getByText('No channels').waitFor()
  const all = (await Promise.all(answers)).join()
  for (const text of ['hidden-path', SECRET]) expect(all).not.toContain(text)
  expect(problems).toEqual([])
  await page.context().close()
})

test('what one is mailed follows the choice of administrators until one chooses oneself', async () => {
  const office = await house.page(DESK)
  await house.signIn(office.page, 'admin')
  const mine = await house.page(DESK)
  await house.signIn(mine.page, 'ann')
  const choiceOf = ({ page }: typeof mine) => page.getByLabel('Key expires soon')
  const chosen = ({ page }: typeof mine) =>
    page.getByLabel('Key expires soon').locator('option:checked').textContent()

  await office.page.goto(`${house.gateway.url}/admin/notices`)
  await choiceOf(office).selectOption('No mail')
  await office.page.getByText('Your choice is saved').waitFor()
  await mine.page.goto(`${house.gateway.url}/account`)
  await expect.poll(() => chosen(mine)).toContain('Default: no mail')
  expect(await mine.page.getByLabel('Backend out of service').count()).toBe(0)
  await choiceOf(mine).selectOption('yes')
  await mine.page.getByText('Your choice is saved').waitFor()
  await mine.page.reload()
  await expect.poll(() => chosen(mine)).toBe('Mail')
  expect(await faultsEverywhere(mine.page)).toEqual([])
  await choiceOf(mine).selectOption('')
  await expect.poll(() => chosen(mine)).toContain('Default: no mail')
  await button(mine.page, 'Change').click()
  await dialog(mine.page).getByLabel('Address').fill('team@corp.test')
  expect(await faultsOf(mine.page)).toEqual([])
  await inDialog(mine.page, 'Send code').click()
  await dialog(mine.page).getByText('A code is on its way').waitFor()
  await expect.poll(() => house.codeOf('team@corp.test')).not.toBe('')
  expect(await faultsOf(mine.page)).toEqual([])
  await mine.page.keyboard.type(house.codeOf('team@corp.test'))
  await mine.page.getByText('Mail goes to team@corp.test').waitFor()
  await button(mine.page, 'Back to my own address').click()
  await mine.page.getByText('Mail goes to ann.').waitFor()
  expect([...office.problems, ...mine.problems]).toEqual([])
  for (const { page } of [office, mine]) await page.context().close()
})

test('an auditor sees channels and changes none', async () => {
  const { page, problems } = await house.page({ ...DESK, scheme: 'dark' })
  await house.signIn(page, 'otto')
  await house.gateway.db.update(users).set({ role: 'auditor' })
  await page.goto(`${house.gateway.url}/admin/notices`)
  await page.getByText('No channels').waitFor()
  expect(await button(page, 'Add channel').count()).toBe(0)
  expect(await faultsOf(page)).toEqual([])
  expect(problems).toEqual([])
  await page.context().close()
})
