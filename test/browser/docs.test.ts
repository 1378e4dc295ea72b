/** Guides and reference, for people who are not signed in, too. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultsOf, type House, openHouse } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.stop())

test('who was signed in once reads the guides although the session has ended', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'ann')
  await page.context().clearCookies()
  await page.goto(`${house.gateway.url}/docs`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  await page.getByRole('link', { name: 'Sign in', exact: true }).first().waitFor()
  expect(new URL(page.url()).pathname).toBe('/docs')
  expect(problems).toEqual([])
  await page.context().close()
})

test('a stranger reads a guide, searches all of them and copies a call', async () => {
  const { page, problems } = await house.page({ locale: 'zh-CN', scheme: 'dark', width: 360 })
  await page.goto(`${house.gateway.url}/docs`)
  await page.getByRole('heading', { level: 1, name: '使用网关：写给使用者' }).waitFor()
  expect(await faultsOf(page)).toEqual([])
  await page.getByRole('searchbox').fill('备份 机器')
  await page.getByRole('link', { name: '备份与机器' }).click()
  await page.waitForURL(({ hash }) => decodeURIComponent(hash) === '#备份与机器')
  await page.getByRole('heading', { name: '备份与机器' }).waitFor()
  expect(await faultsOf(page)).toEqual([])

  await page.getByRole('searchbox').fill('/v1/messages/count_tokens')
  await page.getByRole('link', { name: 'POST /v1/messages/count_tokens' }).click()
  const copy = page.getByRole('button', { name: '复制: 调用' })
  await copy.waitFor()
  expect(await faultsOf(page)).toEqual([])
  await copy.click()
  await page.getByText('已复制').waitFor()
  const copied = await page.evaluate('navigator.clipboard.readText()')
  expect(copied).toContain(`curl -X POST ${house.gateway.url}/v1/messages/count_tokens`)
  expect(copied).toContain('"content": "Hello!"')
  expect(problems).toEqual([])
  await page.context().close()
})
