/** What goes wrong in a person's day, in a real browser: it is told in the reader's language, and nothing is lost. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultsOf, type House, type Look, openHouse } from './house.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }
const PHONE: Look = { locale: 'zh-CN', scheme: 'dark', width: 360 }
const ENGLISH = /[a-z]{3,} [a-z]{2,}/i

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.stop())

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
const dialog = (page: Page) => page.locator('dialog[open]')
const focused = (page: Page) =>
  page.evaluate('(document.activeElement.textContent || document.activeElement.tagName).trim()')

async function askForCode(page: Page, account: string) {
  await page.locator('input').first().fill(account)
  await page.locator('button[type=submit]').click()
}

async function makeKey(page: Page, name: string) {
  await page.goto(`${house.gateway.url}/keys`)
  await button(page, 'New key').first().click()
  await page.getByLabel('Name', { exact: true }).fill(name)
  await button(page, 'Create key').click()
  const secret = dialog(page).locator('code').first()
  await secret.waitFor()
  return (await secret.textContent()) ?? ''
}

describe('errors', () => {
  test('in a Chinese page they are Chinese, for signing in, for keys and for models', async () => {
    const { page, problems } = await house.page(PHONE)
    await page.goto(`${house.gateway.url}/login`)
    const alert = page.getByRole('alert')
    await askForCode(page, '  ')
    expect(await alert.textContent()).toBe('请填写账号或邮箱地址。')
    await askForCode(page, 'a b!')
    await expect.poll(() => alert.textContent()).toBe('请填写账号或邮箱地址。')
    await askForCode(page, 'zh-person')
    await page.locator('fieldset input').first().waitFor()
    await page.keyboard.type('BBBBBBBB')
    await expect.poll(() => alert.textContent()).toBe('验证码错误、已使用或已过期。请核对，或重新获取。')
    await page.keyboard.type(house.codeOf('zh-person'))
    await page.waitForURL(`${house.gateway.url}/`)

    await page.goto(`${house.gateway.url}/keys`)
    await button(page, '新建密钥').first().click()
    await page.getByLabel('名称').fill('   ')
    await button(page, '创建密钥').click()
    expect(await alert.textContent()).toBe('请填写名称。')
    expect(await faultsOf(page)).toEqual([])

    // Another tab has applied in the meantime.
    await page.goto(`${house.gateway.url}/models`)
    const apply = button(page, '申请').first()
    await apply.waitFor()
    const body = JSON.stringify({ model: 'claude-fable-5-2', reason: 'x' })
    await page.evaluate(
      `fetch('/api/applications', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '${body}' })`,
    )
    await apply.click()
    await page.getByLabel('您需要用它做什么？').fill('测试')
    await button(page, '提交申请').click()
    await expect.poll(() => alert.textContent()).toContain('您已申请过')
    expect(await alert.textContent()).not.toMatch(ENGLISH)
    expect(problems).toEqual([])
    await page.context().close()
  })

  test('figures of before do not stand for those of now, and say so when they could not be had anew', async () => {
    const { page } = await house.page(DESK)
    await house.signIn(page, 'reader')
    await page.goto(`${house.gateway.url}/usage`)
    const none = page.getByText('No requests in this period')
    await none.waitFor()
    await page.route('**/api/usage**', (route) => route.abort())
    await page.getByLabel('Period').selectOption('7d')
    await expect.poll(() => page.getByRole('alert').count()).toBe(3)
    expect(await none.count()).toBe(0)
    await page.unroute('**/api/usage**')
    for (let left = 3; left > 0; left--) {
      await button(page, 'Try again').first().click()
      await expect.poll(() => page.getByRole('alert').count()).toBe(left - 1)
    }
    await none.waitFor()
    await page.goBack()
    await expect.poll(() => page.getByLabel('Period').inputValue()).toBe('30d')
    await page.context().close()
  })

  test('what could not be had is told, where it would else look as if there was none of it', async () => {
    const { page } = await house.page(DESK)
    const failing = ['**/api/auth/config', '**/api/devices', '**/api/queue']
    for (const path of failing) await page.route(path, (route) => route.abort())
    const alert = page.getByRole('alert').getByText('The gateway cannot be reached')
    await page.goto(`${house.gateway.url}/login`)
    await alert.waitFor()
    await page.unroute('**/api/auth/config')
    await button(page, 'Try again').click()
    await alert.waitFor({ state: 'detached' })
    await house.signIn(page, 'reader')
    for (const path of ['/keys', '/requests']) {
      await page.goto(house.gateway.url + path)
      await alert.waitFor()
    }
    await page.context().close()
  })

  test('what fails behind a question is told in it, with the id only for a fault of the gateway', async () => {
    const { page } = await house.page(DESK)
    await house.signIn(page, 'unlucky')
    await makeKey(page, 'doomed')
    await button(page, 'I have copied it').click()
    const fault = { error: { code: 'internal', message: 'raw' }, request_id: 'req_1' }
    await page.route('**/api/keys/*', (route) => route.fulfill({ status: 500, json: fault }))
    await button(page, 'Delete').click()
    expect(await focused(page)).toBe('Cancel')
    await dialog(page).getByRole('button', { name: 'Delete' }).click()
    const alert = dialog(page).getByRole('alert')
    expect(await alert.textContent()).toMatch(/Something went wrong in the gateway\..*Request req_1/)
    await page.unroute('**/api/keys/*')
    await dialog(page).getByRole('button', { name: 'Delete' }).click()
    await page.getByText('You have no keys yet').waitFor()
    await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('content')
    await page.context().close()
  })
})

describe('rights', () => {
  test('who is no longer an administrator loses the pages of one with the first refusal', async () => {
    const { page, problems } = await house.page(DESK)
    const { page: office } = await house.page(DESK)
    await house.signIn(page, 'deputy')
    await house.signIn(office, 'admin')
    const setRole = (role: string) =>
      office.evaluate(`(async () => {
        const { users } = await (await fetch('/admin/api/users?q=deputy')).json()
        const headers = { 'content-type': 'application/json' }
        const body = JSON.stringify({ role: '${role}' })
        return (await fetch('/admin/api/users/' + users[0].id, { method: 'PUT', headers, body })).status
      })()`)
    expect(await setRole('admin')).toBe(200)
    await page.reload()
    await page.getByRole('link', { name: 'Audit' }).click()
    await page.getByRole('heading', { name: 'Audit' }).waitFor()
    expect(await setRole('user')).toBe(200)
    await page.getByRole('link', { name: 'Users' }).click()
    await page.waitForURL(`${house.gateway.url}/`)
    expect(await page.getByRole('link', { name: 'Users' }).count()).toBe(0)
    expect(problems).toEqual([])
    await page.context().close()
    await office.context().close()
  })
})

describe('a key that is shown once', () => {
  test('is copied also where a page has no clipboard, as over plain http', async () => {
    const { page, problems } = await house.page(DESK)
    await page.addInitScript("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    await house.signIn(page, 'intranet')
    const secret = await makeKey(page, 'plain')
    expect(await focused(page)).toBe('Copy')
    await page.keyboard.press('Enter')
    await dialog(page).getByText('Copied').first().waitFor()
    await button(page, 'I have copied it').click()
    await button(page, 'Edit').click()
    await page.getByLabel('Name', { exact: true }).fill('')
    await page.keyboard.press('Control+V')
    expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe(secret)
    await page.keyboard.press('Escape')

    await page.evaluate('document.execCommand = () => false')
    await makeKey(page, 'again')
    await page.evaluate('document.execCommand = () => false')
    await dialog(page).getByRole('button', { name: 'Copy' }).first().click()
    await dialog(page).getByText('copy it with Ctrl+C').waitFor()
    expect(await page.evaluate('getSelection().toString()')).toMatch(/^sk-[A-Za-z0-9]{40}$/)
    expect(problems).toEqual([])
    await page.context().close()
  })

  test('survives stray clicks and Escape; what is being typed survives a press that began inside', async () => {
    const { page } = await house.page(DESK)
    await house.signIn(page, 'clumsy')
    await page.goto(`${house.gateway.url}/keys`)
    await button(page, 'New key').first().click()
    const name = page.getByLabel('Name', { exact: true })
    await name.fill('long name')
    const box = await name.boundingBox()
    await page.mouse.move((box?.x ?? 0) + 60, (box?.y ?? 0) + 10)
    await page.mouse.down()
    await page.mouse.move(5, 300)
    await page.mouse.up()
    expect(await name.inputValue()).toBe('long name')
    await button(page, 'Create key').click()
    await dialog(page).locator('code').first().waitFor()
    await page.mouse.click(5, 300)
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    expect(await dialog(page).locator('code').first().textContent()).toMatch(/^sk-/)
    await button(page, 'I have copied it').click()
    await dialog(page).waitFor({ state: 'detached' })

    await button(page, 'New key').first().click()
    expect(await name.inputValue()).toBe('')
    await page.mouse.click(5, 300)
    await dialog(page).waitFor({ state: 'detached' })
    await page.context().close()
  })

  test('gets another name and another end, and keeps the end that is not touched', async () => {
    const { page } = await house.page(DESK)
    await house.signIn(page, 'planner')
    await makeKey(page, 'first')
    await button(page, 'I have copied it').click()
    await button(page, 'Edit').click()
    await page.getByLabel('Expires').selectOption('90')
    await button(page, 'Save').click()
    const end = page.locator('li time').nth(1)
    await end.waitFor()
    const before = await end.getAttribute('datetime')
    expect(Date.parse(before ?? '')).toBeGreaterThan(Date.now() + 89 * 86_400_000)
    await button(page, 'Edit').click()
    await page.getByLabel('Name', { exact: true }).fill('second')
    await button(page, 'Save').click()
    await page.getByText('second', { exact: true }).waitFor()
    expect(await end.getAttribute('datetime')).toBe(before)
    await page.context().close()
  })
})

describe('signing in', () => {
  test('a code that came before the page was loaded again, or asked for twice, can still be typed', async () => {
    const { page, problems } = await house.page(DESK)
    await page.goto(`${house.gateway.url}/login`)
    await askForCode(page, 'hasty')
    await page.locator('fieldset input').first().waitFor()
    await expect.poll(() => house.codeOf('hasty')).not.toBe('')
    await page.reload()
    await page.locator('fieldset input').first().waitFor()
    await button(page, 'Use another account').click()
    await askForCode(page, 'hasty')
    await page.getByText('A code for hasty is on its way already').waitFor()
    expect(await faultsOf(page)).toEqual([])
    await page.locator('fieldset input').first().focus()
    await page.keyboard.type(house.codeOf('hasty'))
    await page.waitForURL(`${house.gateway.url}/`)

    // Who is signed in has no use for the form; who signs out gets it, and does not go back to where they were.
    await page.goto(`${house.gateway.url}/login?next=%2Fkeys`)
    await page.waitForURL(`${house.gateway.url}/keys`)
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.getByRole('button', { name: 'Account' }).click()
    await page.getByRole('menuitem', { name: 'Sign out', exact: true }).click()
    await page.locator('input[autocomplete=username]').waitFor()
    expect(page.url()).toBe(`${house.gateway.url}/login`)
    expect(problems).toEqual([])
    await page.context().close()
  })
})

test('a line that is wrong in a list of a key is told at its field', async () => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'admin')
  await makeKey(page, 'lined')
  await page.goto(`${house.gateway.url}/admin/keys`)
  await button(page, 'lined').click()
  const networks = dialog(page).getByLabel('Networks')
  await networks.fill('10.0.0.0/8\n10.0.0.0/33')
  await button(page, 'Save').click()
  await dialog(page).getByText('Enter a network such as 10.0.0.0/8.').waitFor()
  expect(await networks.getAttribute('aria-invalid')).toBe('true')
  await networks.fill('10.0.0.0/8')
  await button(page, 'Save').click()
  await dialog(page).waitFor({ state: 'detached' })
  expect(problems).toEqual([])
  await page.context().close()
})
