/** What the accounts of the backends report beside the log: the way from a statement to what nothing explains. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { reconciledDays, reconciledUse } from '../../core/db/schema.ts'
import { faultsOf, type House, openHouse } from './house.ts'

const DAY = Date.UTC(2026, 9, 5)

let house: House
beforeAll(async () => {
  house = await openHouse()
  const { db } = house.gateway
  const account = 'claude'
  await db.insert(reconciledDays).values([
    { account, day: DAY, askedAt: DAY, comparedAt: DAY, problem: '', keyKnown: true },
    {
      account,
      day: DAY + 86_400_000,
      askedAt: 0,
      comparedAt: null,
      problem: 'The account answered 503.',
      keyKnown: true,
    },
  ])
  const use = { account, day: DAY, model: 'claude-opus-5-5', estimated: 0 }
  await db.insert(reconciledUse).values([
    { ...use, measure: 'input', ours: 1_000, theirs: 1_000, outside: 0 },
    { ...use, measure: 'output', ours: 200, theirs: 700, outside: 0 },
    { ...use, measure: 'cost_micros', ours: 3_000_000, theirs: 7_500_000, outside: 0 },
    { ...use, model: 'claude-haiku-5-5', measure: 'input', ours: 0, theirs: 90, outside: 90 },
  ])
})
afterAll(() => house?.stop())

test('a statement leads to its differences, by day and model, and to the days that were not compared', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  const rows = page.locator('tbody tr')
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/statements?month=2026-10`)
  await page.getByRole('link', { name: 'See the differences by day and model' }).click()
  await page.getByRole('heading', { name: 'Reconciliation of October 2026' }).waitFor()
  await page.getByText(/^The accounts of the backends report \$7\.50 for 1 day of this month/).waitFor()
  await page.getByText('The account answered 503.').waitFor()
  await expect.poll(() => rows.count()).toBe(3)
  expect(await faultsOf(page)).toEqual([])
  await page.getByRole('combobox', { name: 'Explanation' }).selectOption('Unexplained')
  await expect.poll(() => rows.count()).toBe(2)
  await page.getByRole('row', { name: /Output tokens 200 700 0 500 Unexplained/ }).waitFor()
  await page.getByRole('row', { name: /Cost \$3\.00 \$7\.50 \$0\.00 \$4\.50 Unexplained/ }).waitFor()
  await page.reload()
  await expect.poll(() => rows.count()).toBe(2)
  await page.getByRole('combobox', { name: 'Explanation' }).selectOption('Other price')
  await page.getByText('No difference has this explanation.').waitFor()
  expect(await faultsOf(page)).toEqual([])
  await page.getByRole('link', { name: 'The month after' }).click()
  await page.getByText('Nothing was compared in this month').waitFor()
  expect(problems).toEqual([])
  await page.context().close()
})
