/** What the pages of a company of 300 people, 2,000 keys and 300,000 calls fetch. */
import type { Page, Request } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { companyFile } from './company-file.ts'
import { type House, type Look, openHouse } from './house.ts'
import { ADMIN_PAGES, OWN_PAGES } from './pages.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }
/** Of JSON. The gateway sends it as it is; a proxy that compresses it sends about a tenth. */
const MOST_BYTES = 150_000
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

/** What a page that is opened asks the gateway for until nothing is missing. */
async function fetched(page: Page, path: string): Promise<Answer[]> {
  const asked: Request[] = []
  const hear = (request: Request) => {
    if (request.resourceType() === 'fetch') asked.push(request)
  }
  page.on('request', hear)
  await page.goto(house.gateway.url + path)
  await page.locator('main h1').first().waitFor()
  await page.waitForLoadState('networkidle')
  page.off('request', hear)
  return Promise.all(
    asked.map(async (request) => {
      const body = await (await request.response())?.body()
      const { requestStart, responseStart } = request.timing()
      const { pathname, search } = new URL(request.url())
      const what = `${request.method()} ${pathname}${search}`
      return { what, bytes: body?.length ?? 0, ms: responseStart - requestStart }
    }),
  )
}

test.each([
  { account: 'admin', paths: [...OWN_PAGES, ...ADMIN_PAGES] },
  { account: 'person-001', paths: OWN_PAGES },
])('no page of $account fetches more than 150 KB, or anything twice', async ({ account, paths }) => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, account)
  await page.waitForLoadState('networkidle')
  const lines: string[] = []
  const left = [...paths]
  // In some tabs at once, because most of a page's time is waiting for what does not come.
  const walk = async () => {
    const tab = await page.context().newPage()
    for (let path = left.shift(); path !== undefined; path = left.shift()) {
      const answers = await fetched(tab, path)
      const names = answers.map(({ what }) => what)
      const bytes = answers.reduce((sum, answer) => sum + answer.bytes, 0)
      const slowest = Math.round(Math.max(...answers.map(({ ms }) => ms)))
      lines.push(`${path}: ${Math.round(bytes / 1000)} KB, ${slowest} ms for the slowest of ${names.length}`)
      const twice = names.filter((name, at) => names.indexOf(name) !== at)
      expect([path, twice, bytes <= MOST_BYTES ? 'small' : answers]).toEqual([path, [], 'small'])
    }
  }
  await Promise.all(Array.from({ length: TABS }, walk))
  // For whoever reads the run: times are the machine's, and nothing is asserted of them.
  console.info(`What ${account} fetches:\n${lines.join('\n')}`)
  expect(problems).toEqual([])
  await page.context().close()
})
