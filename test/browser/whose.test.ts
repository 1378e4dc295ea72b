/** What ends something says whose it is: the button to who reads by ear, and the question to everybody. */
import type { Locator } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiKeys, applications, grants, increaseRequests, users } from '../../core/db/schema.ts'
import { type House, type Look, openHouse } from './house.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }
const FABLE = 'claude-fable-5-2'

let house: House
beforeAll(async () => {
  house = await openHouse()
  const { db } = house.gateway
  const times = { createdAt: 1, updatedAt: 1 }
  const key = { prefix: 'sk-x', last4: '0000', status: 'active' as const, ...times }
  for (const [at, itcode] of ['ann', 'bea'].entries()) {
    const userId = 201 + at
    const person = { itcode, name: itcode, role: 'user' as const, status: 'active' as const }
    await db.insert(users).values({ id: userId, ...person, ...times })
    await db.insert(apiKeys).values([
      { ...key, userId, name: 'laptop', hash: `${itcode} laptop` },
      { ...key, userId, name: 'server', hash: `${itcode} server` },
      { ...key, userId, name: 'Claude Code', hash: `${itcode} device`, kind: 'device' as const },
    ])
    const asked = { userId, reason: 'for a test', ...times }
    const [granted] = await db
      .insert(applications)
      .values({ ...asked, model: FABLE, status: 'approved' })
      .returning()
    await db.insert(grants).values({ userId, model: FABLE, applicationId: granted?.id ?? null, createdAt: 1 })
    await db.insert(applications).values([
      { ...asked, model: 'claude-opus-5-5', status: 'pending' },
      { ...asked, model: 'claude-sonnet-5-5', status: 'pending' },
    ])
    await db.insert(increaseRequests).values([
      { ...asked, period: 'daily', amountMicros: 5_000_000, status: 'pending' },
      { ...asked, period: 'monthly', amountMicros: 9_000_000, status: 'pending' },
    ])
  }
})
afterAll(() => house?.stop())

test('for an administrator: devices, keys, accounts, models and requests', async () => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'admin')
  const question = async (path: string, row: RegExp, action: string, title: string) => {
    await page.goto(house.gateway.url + path)
    await page.getByRole('row', { name: row }).first().getByRole('checkbox').check()
    await page.getByRole('region', { name: '1 selected' }).getByRole('button', { name: action }).click()
    await page.getByRole('dialog', { name: title, exact: true }).waitFor()
  }
  await question('/admin/devices', /bea/, 'Sign out', 'Sign Claude Code (bea) out?')
  await question('/admin/keys', /server .*bea/, 'Delete', 'Delete server of bea?')
  await question('/admin/users', /bea/, 'Disable', 'Disable bea?')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Set limit' }).click()
  await page.getByRole('dialog', { name: 'Set the limit of 1 person', exact: true }).waitFor()
  await question('/admin/requests', /bea.*opus/, 'Decline', 'Decline this request?')
  await page.locator('dialog[open]').getByText('bea: claude-opus-5-5').waitFor()

  await page.keyboard.press('Escape')
  const revokes = page.getByRole('button', { name: 'Revoke' })
  await revokes.first().click()
  await page.getByRole('dialog', { name: /^Take claude-fable-5-2 away from (ann|bea)\?$/ }).waitFor()

  await page.goto(`${house.gateway.url}/admin/users/201`)
  const keys = page.getByRole('button', { name: 'Switch off', exact: true })
  await expect.poll(() => keys.count()).toBe(2)
  expect((await described(keys)).toSorted()).toEqual(['laptop', 'server'])
  expect(problems).toEqual([])
  await page.context().close()
})

test('for everybody: what they asked for, and their devices', async () => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'ann')
  const withdraw = page.getByRole('button', { name: 'Withdraw' })
  await page.goto(`${house.gateway.url}/models`)
  await expect.poll(() => withdraw.count()).toBe(2)
  expect((await described(withdraw)).toSorted()).toEqual(['claude-opus-5-5', 'claude-sonnet-5-5'])
  await page.goto(`${house.gateway.url}/requests`)
  await expect.poll(() => withdraw.count()).toBe(2)
  expect((await described(withdraw)).toSorted()).toEqual(['$5.00 each day', '$9.00 each month'])
  await page.goto(`${house.gateway.url}/keys`)
  await page.getByRole('button', { name: 'Sign out', exact: true }).click()
  await page.getByRole('dialog', { name: 'Sign Claude Code out?' }).waitFor()
  expect(problems).toEqual([])
  await page.context().close()
})

/** What a screen reader adds to each of them. */
const described = (buttons: Locator) =>
  buttons.evaluateAll((all) =>
    all.map(({ ariaDescribedByElements }) => ariaDescribedByElements?.[0]?.textContent?.trim()),
  )
