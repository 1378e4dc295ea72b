/** The pages of a request and of a session, and the ways that lead to them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CallRecord } from '../../core/ports.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { callRecord } from '../support/records.ts'
import { faultsOf, type House, type Look, openHouse } from './house.ts'

const DESK: Look = { locale: 'en-US', scheme: 'light', width: 1280 }
const LOOKS: Look[] = [DESK, { locale: 'zh-CN', scheme: 'dark', width: 360 }]
const HOUR_MS = 3_600_000
const STORY = '[["claude-primary",2,310,529],["claude-second",313,1900,200]]'
const MISS = { kind: 'cache_miss', reason: 'tools_changed', blocks: 0, tokens: 4102 } as const

/** The administrator, whose the rows are. */
let adminId = 0
const ofSession = (id: string, given: Partial<CallRecord>) =>
  callRecord({
    id,
    userId: adminId,
    session: 'c0ffee',
    backend: 'claude-second',
    client: 'claude-code',
    ...given,
  })

let house: House
beforeAll(async () => {
  house = await openHouse()
  const { page } = await house.page(DESK)
  await house.signIn(page, 'admin')
  adminId = await page.evaluate("fetch('/api/auth/me').then((a) => a.json()).then(({ user }) => user.id)")
  await page.context().close()
  // Noon of yesterday in Shanghai, where the browser is.
  const day = 24 * HOUR_MS
  const yesterday = Math.floor((Date.now() + 8 * HOUR_MS) / day) * day - 8 * HOUR_MS - 12 * HOUR_MS
  const tokens = { inputTokens: 2212, cacheReadTokens: 161_880, cacheWrite5mTokens: 4310, outputTokens: 1204 }
  const price = {
    inputMicros: 8848,
    cacheReadMicros: 32_376,
    cacheWrite5mMicros: 21_550,
    outputMicros: 18_936,
  }
  const records = [
    ofSession('req_first', { createdAt: yesterday }),
    ofSession('req_told', {
      createdAt: yesterday + 60_000,
      story: STORY,
      attempts: 2,
      promptLosses: [MISS],
      ...tokens,
      cacheWrite1hTokens: 0,
      ...price,
      costMicros: 81_717,
      savedMicros: 600_000,
      latencyMs: 21_600,
      ttftMs: 2213,
      requestedModel: 'opus',
      upstreamId: 'req_011CVm',
    }),
    ofSession('req_failed', {
      createdAt: yesterday + 120_000,
      outcome: 'error',
      statusCode: 502,
      costMicros: 0,
      error: 'all_backends_failed',
      ttftMs: null,
      model: 'claude-sonnet-5-5',
      story: '[["claude-primary",2,310,529],["claude-second",313,40,"account_unreachable"]]',
    }),
  ]
  await writeRecords(house.gateway.db, records.map(recordText))
})
afterAll(() => house?.stop())

test.each(LOOKS)('are told and pass the checks in $locale, $scheme, $width px', async (look) => {
  const { page, problems } = await house.page(look)
  await house.signIn(page, 'admin')
  for (const scope of ['', '/admin']) {
    for (const path of ['requests/req_told', 'requests/req_failed', `sessions/${adminId}-c0ffee`]) {
      await page.goto(`${house.gateway.url}${scope}/usage/${path}`)
      await page.locator('h1 strong').first().waitFor()
      expect([path, await faultsOf(page)]).toEqual([path, []])
    }
  }
  expect(problems).toEqual([])
  await page.context().close()
})

test('a request tells its attempts, its price to the micro-dollar, its cache, and leads to its session', async () => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/usage/requests/req_told`)
  await page.getByText('was overloaded (529) after 310 ms').waitFor()
  const told = (await page.locator('h1').textContent())?.replaceAll(/\s+/g, ' ')
  expect(told).toContain('Claude Code of admin asked opus, served as claude-opus-5-5')
  expect(told).toContain('claude-second answered in 2.2 s for $0.081717')
  const table = page.getByRole('table', { name: 'Price' })
  const amounts = await table.locator('tr td:last-child').allTextContents()
  const micros = amounts.map((text) => Math.round(Number(text.replace('$', '')) * 1e6))
  // The head has no amount.
  const parts = micros.filter((each) => each > 0)
  expect(parts.slice(0, -1).reduce((sum, each) => sum + each)).toBe(81_717)
  expect(parts.at(-1)).toBe(81_717)
  await page.getByText('the list of tools had changed').waitFor()
  await page.keyboard.press('k')
  await page.waitForURL('**/req_failed')
  await page.getByText('No backend could serve it').waitFor()
  await page.getByRole('link', { name: 'All its requests' }).click()
  await page.getByRole('cell', { name: '$0.082217' }).last().waitFor()
  await page.locator('tbody a').nth(1).click()
  await page.waitForURL('**/admin/usage/requests/req_told')
  expect(problems).toEqual([])
  await page.context().close()
})

test('an outcome is filtered without asking the sums again, and a session by its id', async () => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/usage`)
  const rows = page.getByRole('table', { name: 'Requests' }).locator('tbody tr')
  await expect.poll(() => rows.count()).toBe(3)
  await page.getByLabel('Period').selectOption('Yesterday')
  await Promise.all([
    page.waitForResponse(/hourly.*model=claude-sonnet-5-5/),
    page.getByLabel('Model').selectOption('claude-sonnet-5-5'),
  ])
  const asked: string[] = []
  page.on('request', (request) => asked.push(new URL(request.url()).pathname.split('/').at(-1) ?? ''))
  await page.getByLabel('Outcome').selectOption('All failures')
  await page.waitForURL('**/admin/usage?range=yesterday&model=claude-sonnet-5-5&outcome=failed')
  await expect.poll(() => rows.count()).toBe(1)
  // Sums do not know outcomes, and are not asked again.
  expect(asked.filter((name) => ['summary', 'hourly', 'daily'].includes(name))).toEqual([])
  expect(asked).toContain('usage')
  // What is loaded again is paler until it is there.
  await page.waitForLoadState('networkidle')
  expect(await faultsOf(page)).toEqual([])
  await rows.first().click()
  await page.getByText('No backend could serve it').waitFor()

  await page.goto(`${house.gateway.url}/admin/usage`)
  await page.getByLabel('Request or session ID').fill(`${adminId}-c0ffee`)
  await page.keyboard.press('Enter')
  await page.waitForURL(`**/admin/usage?session=${adminId}-c0ffee`)
  await rows.first().getByRole('link', { name: 'c0ffee' }).click()
  await page.waitForURL(`**/admin/usage/sessions/${adminId}-c0ffee`)
  expect(problems).toEqual([])
  await page.context().close()
})

test('an id that is pasted into the palette leads to its page, also to say that there is none', async () => {
  const { page, problems } = await house.page(DESK)
  await house.signIn(page, 'admin')
  for (const [id, said] of [
    ['req_told', 'What happened'],
    ['req_unknown', 'There is no such request'],
  ] as const) {
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox').fill(` ${id} `)
    await page.getByRole('option', { name: id }).click()
    await page.waitForURL(`**/admin/usage/requests/${id}`)
    await page.getByText(said).first().waitFor()
  }
  expect([await faultsOf(page), problems]).toEqual([[], []])
  await page.context().close()
})
