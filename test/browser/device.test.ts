/** The page on which people let Claude Code in: nothing happens before they press a button. */
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as z from 'zod'
import { deviceGrants } from '../../core/db/schema.ts'
import { freePort } from '../support/ports.ts'
import { type House, openHouse } from './house.ts'

const LOOK = { locale: 'en-US', scheme: 'light', width: 360 } as const
const Asked = z.object({ user_code: z.string(), device_code: z.string() })
const Answer = z.object({ error: z.string().optional(), access_token: z.string().optional() })

let house: House
beforeAll(async () => {
  const port = await freePort()
  const public_url = `http://127.0.0.1:${port}`
  house = await openHouse({ server: { port, host: '127.0.0.1', public_url, trusted_proxies: ['127.0.0.1'] } })
})
afterAll(() => house?.stop())

const form = async (path: string, fields: Record<string, string>, from?: string): Promise<unknown> => {
  const headers = from ? { 'x-forwarded-for': from } : {}
  const body = new URLSearchParams(fields)
  return (await fetch(`${house.gateway.url}${path}`, { method: 'POST', headers, body })).json()
}
/** A program that waits, at this address. */
const begin = async (from?: string) => Asked.parse(await form('/oauth/device_authorization', {}, from))
const poll = async (device_code: string) => {
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
  return Answer.parse(await form('/oauth/token', { grant_type, device_code }))
}
const open = async (user_code: string) => {
  const { page, problems } = await house.page(LOOK)
  await house.signIn(page, `p${crypto.randomUUID().slice(0, 8)}`)
  await page.goto(`${house.gateway.url}/device?user_code=${user_code}`)
  return { page, problems }
}

test('a link shows what asks and allows nothing by itself; a press of the button does', async () => {
  const { user_code, device_code } = await begin()
  const { page, problems } = await open(user_code)
  await page.getByText(user_code).waitFor()
  const allow = page.getByRole('button', { name: 'Allow' })
  await allow.waitFor()
  // Asked twice within five seconds, it would be told to slow down.
  const isOpen = eq(deviceGrants.userCode, user_code.replace('-', ''))
  expect(await house.gateway.db.select().from(deviceGrants).where(isOpen)).toMatchObject([
    { status: 'pending' },
  ])
  await allow.click()
  await page.getByText('The program is signed in').waitFor()
  expect((await poll(device_code)).access_token).toMatch(/^eyJ/)
  expect(problems).toEqual([])
})

test('a link of a program at another address shows no button; the code has to be typed, and then says so', async () => {
  const { user_code, device_code } = await begin('198.51.100.7')
  const { page } = await open(user_code)
  await page.getByText('Type the code that your own terminal shows').waitFor()
  expect(await page.getByRole('button', { name: 'Allow' }).count()).toBe(0)
  await page.getByLabel('Code').fill(user_code)
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByText('Allow it only if you know why').waitFor()
  await page.getByRole('button', { name: 'Deny' }).click()
  await page.getByText('The program was not signed in').waitFor()
  expect((await poll(device_code)).error).toBe('access_denied')
})
