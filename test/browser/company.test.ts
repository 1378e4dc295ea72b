/** Daily tasks at 300 people, 2,000 keys and 300,000 calls, and what the pages fetch there. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { sql } from 'drizzle-orm'
import type { Page, Request } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { companyFile } from './company-file.ts'
import { faultsOf, type House, type Look, openHouse } from './house.ts'
import { ADMIN_PAGES, OWN_PAGES } from './pages.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }
/** Of JSON. The gateway sends it as it is; a proxy that compresses it sends about a tenth. */
const MOST_BYTES = 150_000
/** As they are sent, compressed. */
const MOST_SCRIPT_BYTES = 120 * 1024
const TABS = 4

let house: House
beforeAll(async () => {
  house = await openHouse({}, await companyFile())
})
afterAll(() => house?.stop())

interface Answer {
  /** Method and address. */
  what: string
  bytes: number
  /** Until the first byte. */
  ms: number
}

/** Of a file of the dashboard. */
function compressedBytes(path: string): number {
  return gzipSync(readFileSync(join(import.meta.dirname, '../../site/build', path))).length
}

/** What a page that is opened asks the gateway for until nothing is missing, and the bytes of its scripts. */
async function fetched(page: Page, path: string): Promise<{ answers: Answer[]; scriptBytes: number }> {
  const asked: Request[] = []
  const scripts = new Set<string>()
  const hear = (request: Request) => {
    if (request.resourceType() === 'fetch') asked.push(request)
    else if (request.url().endsWith('.js')) scripts.add(new URL(request.url()).pathname)
  }
  page.on('request', hear)
  await page.goto(house.gateway.url + path)
  await page.locator('main h1').first().waitFor()
  await page.waitForLoadState('networkidle')
  page.off('request', hear)
  const scriptBytes = [...scripts].reduce((sum, path) => sum + compressedBytes(path), 0)
  const answers = await Promise.all(
    asked.map(async (request) => {
      const body = await (await request.response())?.body()
      const { requestStart, responseStart } = request.timing()
      const { pathname, search } = new URL(request.url())
      const what = `${request.method()} ${pathname}${search}`
      return { what, bytes: body?.length ?? 0, ms: responseStart - requestStart }
    }),
  )
  return { answers, scriptBytes }
}

test.each([
  { account: 'admin', paths: ADMIN_PAGES },
  { account: 'person-001', paths: OWN_PAGES },
])(
  'no page of $account needs more than 120 KB of script, and fetches more than 150 KB or anything twice',
  async ({ account, paths }) => {
    const { page, problems } = await house.page(DESK)
    await house.signIn(page, account)
    await page.waitForLoadState('networkidle')
    const lines: string[] = []
    const left = [...paths]
    // In some tabs at once, because most of a page's time is waiting for what does not come.
    const walk = async () => {
      const tab = await page.context().newPage()
      for (let path = left.shift(); path !== undefined; path = left.shift()) {
        const { answers, scriptBytes } = await fetched(tab, path)
        const names = answers.map(({ what }) => what)
        const bytes = answers.reduce((sum, answer) => sum + answer.bytes, 0)
        const slowest = Math.round(Math.max(...answers.map(({ ms }) => ms)))
        lines.push(
          `${path}: ${Math.round(bytes / 1000)} KB, ${slowest} ms for the slowest of ${names.length}; ${Math.round(scriptBytes / 1024)} KB of script`,
        )
        const twice = names.filter((name, at) => names.indexOf(name) !== at)
        expect([path, twice, bytes <= MOST_BYTES ? 'small' : answers]).toEqual([path, [], 'small'])
        expect([path, scriptBytes > 10_000, Math.max(scriptBytes, MOST_SCRIPT_BYTES)]).toEqual([
          path,
          true,
          MOST_SCRIPT_BYTES,
        ])
      }
    }
    await Promise.all(Array.from({ length: TABS }, walk))
    // For whoever reads the run: times are the machine's, and nothing is asserted of them.
    console.info(`What ${account} fetches:\n${lines.join('\n')}`)
    expect(problems).toEqual([])
    await page.context().close()
  },
)

/** The page of an administrator where a task begins, and what counts its steps. */
async function task(path: string) {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'admin')
  await page.goto(house.gateway.url + path)
  const taken: string[] = []
  const step = async <T>(what: string, action: Promise<T>): Promise<T> => {
    taken.push(what)
    return action
  }
  return { page, step, taken, problems }
}

test('who cost most last month is found and exported in two steps', async () => {
  const { page, step, taken, problems } = await task('/admin/explore')
  // By the days of Shanghai, where the browser is.
  const costs = await house.gateway.db.all<{ name: string; micros: number }>(sql`
    select users.itcode as name, sum(cost_micros) as micros from usage_logs join users on users.id = user_id
    where strftime('%Y-%m', usage_logs.created_at / 1000, 'unixepoch', '+8 hours')
      = strftime('%Y-%m', 'now', '+8 hours', 'start of month', '-1 day') group by 1 order by 2 desc, users.id`)
  const [most] = costs
  await step('period', page.getByRole('combobox', { name: 'Period' }).selectOption('Last month'))
  const first = page.getByRole('region', { name: 'User' }).locator('tbody tr').first()
  await expect.poll(() => first.textContent()).toContain(`$${((most?.micros ?? 0) / 1e6).toFixed(2)}`)
  expect(await first.textContent()).toContain(most?.name)
  const file = page.waitForEvent('download')
  await step('file', page.getByRole('link', { name: 'Download CSV' }).click())
  const lines = readFileSync(await (await file).path(), 'utf8')
    .trim()
    .split('\r\n')
  expect(lines.length).toBe(costs.length + 1)
  expect(lines[1]).toContain(most?.name)
  expect([taken.length, await faultsOf(page), problems]).toEqual([2, [], []])
  await page.context().close()
})

test("yesterday's failed calls of one model and their cause are found in four steps", async () => {
  const { page, step, taken, problems } = await task('/admin/usage')
  await step('period', page.getByLabel('Period').selectOption('Yesterday'))
  await step('model', page.getByLabel('Model').selectOption('claude-opus-5-5'))
  await step('outcome', page.getByLabel('Outcome').selectOption('Error'))
  const rows = page.getByRole('table', { name: 'Requests' }).locator('tbody tr')
  await page.waitForURL('**/admin/usage?range=yesterday&model=claude-opus-5-5&outcome=error')
  await page.waitForLoadState('networkidle')
  await expect.poll(() => rows.first().textContent()).toContain('Error')
  await step('call', rows.first().click())
  await page.getByText('No backend could serve it').waitFor()
  expect([taken.length, problems]).toEqual([4, []])
  await page.context().close()
})

test('the machines on old settings are found in one step, and signed out in three more', async () => {
  const { page, step, taken, problems } = await task('/admin/devices')
  await step('old', page.getByRole('combobox', { name: 'Managed settings' }).selectOption('Old'))
  await page.getByText('1–25 of 37').waitFor()
  await step('all', page.getByLabel('Select all on this page').check())
  await step('sign out', page.getByRole('button', { name: 'Sign out', exact: true }).click())
  await step('sure', page.locator('dialog[open]').getByRole('button', { name: 'Sign out' }).click())
  await page.getByText('25 signed out').waitFor()
  await page.getByText('1–12 of 12').waitFor()
  expect([taken.length, await faultsOf(page), problems]).toEqual([4, [], []])
  await page.context().close()
})

test('a backend is taken out in two steps', async () => {
  const { page, step, taken, problems } = await task('/admin/backends')
  const card = page.getByRole('region', { name: 'claude', exact: true })
  await step('drain', card.getByRole('button', { name: 'Drain', exact: true }).click())
  await step('sure', page.locator('dialog[open]').getByRole('button', { name: 'Drain' }).click())
  await card.getByText('Drained').waitFor()
  expect([taken.length, await faultsOf(page), problems]).toEqual([2, [], []])
  await page.context().close()
})
