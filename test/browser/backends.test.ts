/** Backends on their page: added, tried, changed, drained and removed, and nobody reads a secret there. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sessions, users } from '../../core/db/schema.ts'
import { errorJson, type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'
import { faultsOf, type House, type Look, openHouse } from './house.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }

let house: House
let claude: FakeUpstream
beforeAll(async () => {
  claude = await startUpstream()
  claude.models(['claude-haiku-5'])
  claude.answer({ chunks: [messageJson()] })
  house = await openHouse({ secrets: { key: 'f3Q0mZ7xV1cN8bL5kT2wR9dJ4hS6gP0aYuE' } })
})
afterAll(async () => {
  await house?.stop()
  await claude.stop()
})

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
const dialog = (page: Page) => page.locator('dialog[open]')
const inDialog = (page: Page, name: string | RegExp) =>
  dialog(page).getByRole('button', { name, exact: typeof name === 'string' })
const card = (page: Page, name: string) => page.getByRole('region', { name, exact: true })
const inCard = (page: Page, name: string, action: string) =>
  card(page, name).getByRole('button', { name: action, exact: true })
const field = (page: Page, name: string) => dialog(page).getByLabel(name, { exact: true })

async function tab(page: Page, times: number) {
  for (let i = 0; i < times; i++) await page.keyboard.press('Tab')
}

/** The page as an administrator, and everything that it was answered. */
async function office(look = DESK) {
  const { page, problems } = await house.page(look)
  const answers: Promise<string>[] = []
  page.on('response', (response) => answers.push(response.text().catch(() => '')))
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/backends`)
  await card(page, 'claude').waitFor()
  return { page, problems, answers }
}

test('a backend is added with the keyboard, tried, changed, drained and removed', async () => {
  const { page, problems, answers } = await office()
  await button(page, 'Add backend').focus()
  await page.keyboard.press('Enter')
  await dialog(page).waitFor()
  expect(await field(page, 'Name').and(page.locator(':focus')).count()).toBe(1)
  await page.keyboard.type('claude')
  await dialog(page).getByText('There is a backend of this name.').waitFor()
  await page.keyboard.type('-2')
  await tab(page, 2)
  await page.keyboard.press('ControlOrMeta+A')
  await page.keyboard.type(claude.url)
  await tab(page, 3)
  await page.keyboard.type('secret-of-added')
  await inDialog(page, 'Test').focus()
  await page.keyboard.press('Enter')
  await expect.poll(() => dialog(page).getByText('Passed').count()).toBe(3)
  expect(await faultsOf(page)).toEqual([])
  await inDialog(page, 'Add backend').focus()
  await page.keyboard.press('Enter')
  await page.getByText('claude-2 is added and in service').waitFor()
  expect(claude.requests[0]?.headers['x-api-key']).toBe('secret-of-added')
  await card(page, 'claude-2').getByText('Added here').waitFor()
  expect(await inCard(page, 'claude', 'Change').count()).toBe(0)
  await card(page, 'claude').getByText('changed in the configuration file').waitFor()

  await inCard(page, 'claude-2', 'Change').click()
  await dialog(page).getByText('Set; it stays as it is').waitFor()
  expect(await field(page, 'API key').count()).toBe(0)
  await field(page, 'Models').fill('claude-haiku-*')
  await inDialog(page, 'Save').click()
  await card(page, 'claude-2').getByText('claude-haiku-*').waitFor()

  await inCard(page, 'claude-2', 'Change').click()
  await field(page, 'Address').fill(`${claude.url}/elsewhere`)
  await dialog(page).getByText('It is needed again').waitFor()
  await inDialog(page, 'Save').click()
  expect(await field(page, 'API key').and(page.locator(':invalid')).count()).toBe(1)
  await field(page, 'API key').fill('secret-of-later')
  claude.models({ status: 401, chunks: [errorJson('authentication_error')] })
  claude.answer({ status: 401, chunks: [errorJson('authentication_error')] })
  await inDialog(page, 'Test').click()
  await dialog(page).getByText('Failed').first().waitFor()
  await field(page, 'Address').fill('https://169.254.169.254')
  await inDialog(page, 'Save').click()
  await dialog(page).getByText('metadata addresses are not allowed').waitFor()
  await field(page, 'Address').fill(`${claude.url}/elsewhere`)
  await inDialog(page, 'Save').click()
  await card(page, 'claude-2').getByText('/elsewhere').waitFor()

  await inCard(page, 'claude-2', 'Test').click()
  await dialog(page).getByText('Failed').first().waitFor()
  await inDialog(page, 'Close').click()
  await inCard(page, 'claude-2', 'Drain').click()
  await inDialog(page, 'Drain').click()
  await card(page, 'claude-2').getByText('Drained').waitFor()
  await inCard(page, 'claude-2', 'Remove').click()
  await dialog(page).getByText('can no longer be reached').waitFor()
  await inDialog(page, 'Remove').click()
  await page.getByText('claude-2 is removed').waitFor()
  await card(page, 'claude-2').waitFor({ state: 'detached' })
  expect((await Promise.all(answers)).join()).not.toContain('secret-of')
  expect(problems).toEqual([])
  await page.context().close()
})

test('whoever signed in long ago signs in again beside what they typed, which is nowhere stored', async () => {
  const { page, problems } = await office()
  await button(page, 'Add backend').click()
  await field(page, 'Name').fill('later')
  await field(page, 'Type').selectOption('Amazon Bedrock')
  await field(page, 'Region').fill('eu-central-1')
  await field(page, 'API key').fill('secret-of-later')
  await field(page, 'Models').fill('claude-opus-5-5 = arn:of-it')
  await house.gateway.db.update(sessions).set({ createdAt: Date.now() - 11 * 60_000 })
  await inDialog(page, 'Add backend').click()
  await inDialog(page, 'Sign in again').click()
  const opened = page.context().waitForEvent('page')
  await page
    .getByRole('dialog', { name: 'Sign in again' })
    .getByRole('button', { name: 'Sign in', exact: true })
    .click()
  const beside = await opened
  await beside.waitForURL((url) => url.pathname === '/login')
  const closed = beside.waitForEvent('close')
  await house.signIn(beside, 'admin', { here: true }).catch(() => {})
  await closed
  await page.getByRole('dialog', { name: 'Sign in again' }).waitFor({ state: 'detached' })
  expect(await page.evaluate('JSON.stringify([{ ...sessionStorage }, { ...localStorage }])')).not.toContain(
    'secret-of',
  )
  expect(await field(page, 'Region').inputValue()).toBe('eu-central-1')
  await inDialog(page, 'Add backend').click()
  await card(page, 'later').getByText('claude-opus-5-5').waitFor()
  await page.reload()
  await inCard(page, 'later', 'Remove').click()
  await inDialog(page, 'Remove').click()
  await card(page, 'later').waitFor({ state: 'detached' })
  expect(problems).toEqual([])
  await page.context().close()
})

test('in both themes, on a desk and on a phone, everybody can use it', async () => {
  for (const scheme of ['light', 'dark'] as const) {
    const { page, problems } = await office({ ...DESK, scheme })
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 800 })
      expect(await faultsOf(page)).toEqual([])
      await button(page, 'Add backend').click()
      await field(page, 'Type').selectOption('Microsoft Foundry')
      expect(await faultsOf(page)).toEqual([])
      await inDialog(page, 'Cancel').click()
    }
    expect(problems).toEqual([])
    await page.context().close()
  }
})

test('why a try fails is said in the reader’s language, with the model that was asked', async () => {
  const { page, problems } = await office({ locale: 'zh-CN', scheme: 'dark', width: 360 })
  await button(page, '添加后端').click()
  await field(page, '名称').fill('away')
  await field(page, '地址').fill('http://127.0.0.1:9')
  await field(page, 'API 密钥').fill('secret-of-away')
  await field(page, '模型').fill('claude-opus-5-5')
  await inDialog(page, '测试').click()
  await dialog(page).getByText('claude-opus-5-5：没有回答：网络错误（ECONNREFUSED）。').waitFor()
  await dialog(page).getByText('未取得模型列表：网络错误（ECONNREFUSED）。').waitFor()
  expect([await faultsOf(page), problems]).toEqual([[], []])
  await page.context().close()
})

test('an auditor sees all of it and changes nothing', async () => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'otto')
  await house.gateway.db.update(users).set({ role: 'auditor' })
  await page.goto(`${house.gateway.url}/admin/backends`)
  await card(page, 'claude').getByText('Configuration file').first().waitFor()
  expect(await card(page, 'claude').getByRole('button').count()).toBe(0)
  expect(await button(page, 'Add backend').count()).toBe(0)
  expect(problems).toEqual([])
  await page.context().close()
})
