/** What was used is told apart by anything, in a picture and a table of the same numbers, each of which leads to what it is made of. */
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as z from 'zod'
import { apiKeys, groupMembers, groups, savedViews, users } from '../../core/db/schema.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { callRecord } from '../support/records.ts'
import { faultsOf, type House, openHouse } from './house.ts'

const DAY_MS = 86_400_000
/** Noon of today in Shanghai, where the browser is. */
const NOON = Math.floor((Date.now() + DAY_MS / 3) / DAY_MS) * DAY_MS + DAY_MS / 6
const MODELS = ['claude-opus-5-5', 'claude-sonnet-5-5', 'claude-haiku-4-5']
const Report = z.looseObject({
  totals: z.looseObject({ cost_usd: z.number(), requests: z.number() }),
  rows: z.array(z.looseObject({ itcode: z.string().nullish(), cost_usd: z.number() })),
})

const RESEARCH = 7
const MISS = { kind: 'cache_miss', reason: 'tools_changed', blocks: 0, tokens: 100_000 } as const

let house: House
beforeAll(async () => {
  house = await openHouse()
  const { db } = house.gateway
  for (let n = 1; n <= 12; n++) {
    await db.run(sql`insert into users (id, itcode, name, role, status, created_at, updated_at)
      values (${100 + n}, ${`person-${n}`}, ${`Person ${n}`}, 'user', 'active', 1, 1)`)
  }
  await db.insert(groups).values([
    { id: RESEARCH, name: 'Research', source: 'direct', bills: true, createdAt: 1, updatedAt: 1 },
    { id: 8, name: 'Sales', source: 'scim', bills: true, createdAt: 1, updatedAt: 1 },
  ])
  const deleted = { status: 'disabled' as const, createdAt: 1, updatedAt: 1, deletedAt: 2 }
  await db.insert(apiKeys).values({
    id: 50,
    userId: 103,
    name: 'laptop',
    hash: 'laptop',
    prefix: 'sk-l',
    last4: '0000',
    ...deleted,
  })
  await db.insert(apiKeys).values({
    id: 51,
    userId: 103,
    name: 'never called',
    hash: 'never called',
    prefix: 'sk-n',
    last4: '0000',
    status: 'active',
    createdAt: 1,
    updatedAt: 1,
  })
  await db.insert(savedViews).values({
    userId: 101,
    page: '/admin/explore',
    name: 'By program',
    query: 'by=client',
    shared: true,
    createdAt: 1,
    updatedAt: 1,
  })
  const records = Array.from({ length: 600 }, (_, n) =>
    callRecord({
      id: `req_explored_${n}`,
      userId: 101 + (n % 12),
      keyId: n % 12 === 2 ? 50 : 1,
      // The three who cost least.
      billingGroupIds: n % 12 < 3 ? [RESEARCH] : [0],
      model: MODELS[n % 3] ?? '',
      costMicros: 10_000 * (1 + (n % 12)),
      latencyMs: 2_000 + n,
      ttftMs: 300 + (n % 50),
      promptLosses: n % 12 === 11 ? [MISS] : [],
      createdAt: NOON - (1 + (n % 20)) * DAY_MS,
    }),
  )
  await writeRecords(db, records.map(recordText))
})
afterAll(() => house?.stop())

test('who cost most in a period is found, followed to the models, the day and the hour, and exported', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/explore`)
  // Dearest first: one step to the answer, and one to the file.
  await expect.poll(() => page.locator('tbody th').first().textContent()).toContain('person-12')
  const file = await page.getByRole('link', { name: 'Download CSV' }).getAttribute('href')
  const lines = await page.evaluate(
    async (path) => (await (await fetch(path)).text()).trim().split('\r\n').length,
    file ?? '',
  )
  expect(lines).toBe(13)

  const text = await page.evaluate(
    async (path) => await (await fetch(path)).text(),
    `/admin/api/reports?group_by=user&tz=Asia/Shanghai&sort=cost`,
  )
  const { totals, rows } = Report.parse(JSON.parse(text))
  await page
    .getByText(`$${totals.cost_usd.toFixed(2)}`, { exact: true })
    .first()
    .waitFor()
  await page
    .getByRole('region', { name: 'User' })
    .getByRole('cell', { name: `$${rows[0]?.cost_usd.toFixed(2)}`, exact: true })
    .waitFor()
  // Five have a colour, and the rest are one.
  const legend = page.getByRole('figure').getByRole('listitem')
  expect(await legend.count()).toBe(6)
  expect(await legend.last().textContent()).toContain('Other')

  await page.getByLabel('Compare with the period before').check()
  await page.getByText('in as many days before').first().waitFor()
  await legend.first().getByRole('button').click()
  await page.waitForURL(/user_id=112/)
  await page.getByRole('columnheader', { name: 'Model' }).first().waitFor()
  await expect.poll(() => page.getByRole('region', { name: 'Model' }).locator('tbody th').count()).toBe(1)
  expect(await faultsOf(page)).toEqual([])

  await page.mouse.move(0, 0)
  await page.getByRole('group', { name: 'Cost, Model' }).focus()
  // Four days ago.
  for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('Enter')
  await page.waitForURL(/range=custom/)
  await page
    .getByRole('figure')
    .getByText(/\d [AP]M$/)
    .first()
    .waitFor()
  await page.getByRole('group', { name: 'Cost, Model' }).focus()
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('Enter')
  await page.waitForURL(/admin\/usage\?range=custom.*user=112/)
  await page.goBack()
  await page.getByRole('columnheader', { name: 'Model' }).first().waitFor()
  expect(problems).toEqual([])
  await page.context().close()
})

test('how long calls took is the same in the picture, the table and the file, and says what it rests on', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/explore?by=model&range=7d`)
  await page.getByText('Duration', { exact: true }).click()
  await page.getByLabel('Which of the calls').selectOption('p95')
  await page.waitForURL(/show=duration.*percentile=p95/)
  await page.getByText('duration on 180 calls').waitFor()
  const table = page.getByRole('region', { name: 'Model' })
  // Of the calls of six days, those to one model are every third.
  await expect
    .poll(() => table.locator('tbody tr').first().textContent())
    .toMatch(/sonnet.*322 ms344 ms2\.3 s2\.6 s60/)
  await page.getByRole('button', { name: 'Table' }).click()
  const picture = page.getByRole('region', { name: 'Duration, p95, Model' })
  await expect.poll(() => picture.locator('tbody tr').count()).toBe(7)
  expect(await picture.locator('tbody tr').last().textContent()).toMatch(/––/)
  const file = await page.getByRole('link', { name: 'Download CSV' }).getAttribute('href')
  const text = await page.evaluate(async (path) => await (await fetch(path)).text(), file ?? '')
  expect(text).toMatch(/duration_p95_ms\r\n.*claude-sonnet-5-5.*60,2283,2562\r\n/)
  await page.getByRole('heading', { name: 'Hours of the week' }).waitFor()
  expect([await faultsOf(page), problems]).toEqual([[], []])

  // The view is given a name, found by it, changed and removed; what others share stands beside it.
  const menu = page.getByText('Saved views', { exact: true })
  await menu.click()
  await page.getByRole('button', { name: 'Save this view' }).click()
  await page.getByLabel('Name').fill('Slow models')
  await page.getByLabel('Share it').check()
  expect(await faultsOf(page)).toEqual([])
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await page.getByText('View saved').waitFor()
  await page.goto(`${house.gateway.url}/admin/explore`)
  await menu.click()
  await page.getByText('shared by person-1', { exact: true }).waitFor()
  expect(await faultsOf(page)).toEqual([])
  await page.getByRole('link', { name: 'Slow models' }).click()
  await page.waitForURL(/show=duration.*percentile=p95/)
  await menu.click()
  await page.getByRole('button', { name: 'Change Slow models' }).click()
  await page.getByLabel('Name').fill('The slow ones')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await menu.click()
  await page.getByRole('button', { name: 'Change The slow ones' }).click()
  await page.getByRole('button', { name: 'Remove', exact: true }).click()
  await page.getByText('View removed').waitFor()
  await menu.click()
  await page.getByText('shared by person-1', { exact: true }).waitFor()
  expect(await page.getByRole('link', { name: 'The slow ones' }).count()).toBe(0)
  expect(problems).toEqual([])
  await page.context().close()
})

test('it holds on a phone, in the dark and in Chinese', async () => {
  const { page, problems } = await house.page({ locale: 'zh-CN', scheme: 'dark', width: 360 })
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/explore?by=model&show=requests`)
  await page.getByText('claude-opus-5-5').first().waitFor()
  await page.getByRole('heading', { name: '一周各小时' }).waitFor()
  expect([await faultsOf(page), problems]).toEqual([[], []])
  await page.context().close()
})

test('a lead sees what was booked to their group, by person and model, and nothing else', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'lea')
  const { db } = house.gateway
  const [lea] = await db.select().from(users).where(eq(users.itcode, 'lea'))
  await db
    .insert(groupMembers)
    .values({ groupId: RESEARCH, userId: lea?.id ?? 0, role: 'lead', createdAt: 1 })
  await page.goto(`${house.gateway.url}/explore`)
  await page.getByText('No requests').first().waitFor()
  await page.getByRole('link', { name: 'Groups that I lead' }).click()
  const people = page.getByRole('region', { name: 'User' }).locator('tbody th')
  await expect.poll(() => people.allTextContents()).toEqual(['person-3', 'person-2', 'person-1'])
  expect(await faultsOf(page)).toEqual([])
  await page.getByRole('button', { name: 'person-3' }).last().click()
  await page.waitForURL(/whose=led.*user_id=103/)
  await page.getByRole('region', { name: 'Model' }).getByText('claude-haiku-4-5').waitFor()
  await page.reload()
  await page.getByRole('button', { name: 'Remove the filter User: person-3' }).click()
  await page.waitForURL((url) => !url.searchParams.has('user_id'))
  expect(problems).toEqual([])
  await page.context().close()
})

test('an address that names a key shows its name, also of a deleted one and one that never called', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'admin')
  const chip = page.getByRole('button', { name: 'Remove the filter Key: laptop (person-3)' })
  for (const path of ['/admin/usage?key=50', '/admin/explore?key_id=50']) {
    await page.goto(house.gateway.url + path)
    await chip.waitFor()
    await expect
      .poll(() => page.getByRole('combobox', { name: 'Key' }).inputValue())
      .toBe('laptop (person-3)')
  }
  await page.context().clearCookies()
  await house.signIn(page, 'person-3')
  await page.goto(`${house.gateway.url}/usage?key=50`)
  await chip.waitFor()
  const shown = page.locator('form select').last().locator('option:checked')
  await expect.poll(() => shown.textContent()).toBe('laptop (person-3)')
  await page.goto(`${house.gateway.url}/explore?key_id=50`)
  await chip.waitFor()
  const unused = page.getByRole('button', { name: 'Remove the filter Key: never called (person-3)' })
  for (const path of ['/usage?key=51', '/explore?key_id=51']) {
    await page.goto(house.gateway.url + path)
    await unused.waitFor()
  }
  await page.context().clearCookies()
  await house.signIn(page, 'admin')
  for (const path of ['/admin/usage?key=51', '/admin/explore?key_id=51']) {
    await page.goto(house.gateway.url + path)
    await unused.waitFor()
  }
  expect(problems).toEqual([])
  await page.context().close()
})

test('the day on which an hour is there twice has both of them', async () => {
  const look = { locale: 'en-US', scheme: 'light', width: 1280, zone: 'America/New_York' } as const
  const { page, problems } = await house.page(look)
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/explore?range=custom&from=2026-11-01&to=2026-11-01`)
  await page.getByRole('button', { name: 'Table' }).click()
  const hours = page.getByRole('region', { name: 'Cost, User' }).locator('tbody th')
  await expect.poll(() => hours.count()).toBe(25)
  expect(problems).toEqual([])
  await page.context().close()
})

test('a press leads to what was pressed: not by the other button, nor to what the log cannot find', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'admin')
  const day = new Date(NOON - 4 * DAY_MS).toISOString().slice(0, 10)
  const next = new Date(NOON - 3 * DAY_MS).toISOString().slice(0, 10)
  const hours = `${house.gateway.url}/admin/explore?range=custom&from=${day}&to=${next}&bucket=hour`
  const bars = page.locator('figure svg g')
  await page.goto(`${hours}&group_id=${RESEARCH}`)
  await bars.nth(12).click({ force: true })
  await page.goto(hours)
  await bars.nth(12).click({ force: true, button: 'right' })
  expect(new URL(page.url()).pathname).toBe('/admin/explore')
  await bars.nth(12).click({ force: true })
  // The day of the hour alone.
  await page.waitForURL(`**/admin/usage?range=custom&from=${day}&to=${day}`)

  // A row that is in sight until the new ones are there is what it says.
  await page.goto(`${house.gateway.url}/admin/explore`)
  const person = page.getByRole('button', { name: 'person-12' }).last()
  await person.waitFor()
  await page.route('**/admin/api/reports?*', () => new Promise(() => {}))
  await page.getByLabel('Break down by').selectOption('model')
  await page.waitForURL(/by=model/)
  await person.click()
  await page.waitForURL(/user_id=112/)
  await page.unrouteAll({ behavior: 'ignoreErrors' })

  // Years that are still being typed ask nothing.
  await page.goto(`${house.gateway.url}/admin/explore?range=custom&from=2026-11-01&to=9999-12-31`)
  const asked: string[] = []
  page.on('request', (request) => asked.push(new URL(request.url()).searchParams.get('start_date') ?? ''))
  await page.getByRole('textbox', { name: 'From' }).focus()
  await page.keyboard.type('10052026')
  await page.waitForURL(/from=2026-10-05/)
  expect(asked.filter((date) => date.startsWith('0'))).toEqual([])
  // A date that is none gives way to what is shown, as the address says it.
  for (const path of ['', `${house.gateway.url}/admin/usage?range=custom&from=2026-10-05&to=2026-10-06`]) {
    if (path !== '') await page.goto(path)
    const from = page.getByRole('textbox', { name: 'From' })
    await from.fill('')
    await from.blur()
    expect(await from.inputValue()).toBe('2026-10-05')
  }
  expect(problems).toEqual([])
  await page.context().close()
})

test('a finger reads a bar, and marks a span of them', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 390 })
  await house.signIn(page, 'admin')
  const touch = await page.context().newCDPSession(page)
  await touch.send('Emulation.setTouchEmulationEnabled', { enabled: true })
  const bars = page.locator('figure svg g')
  const drag = async (from: number, to: number) => {
    await bars.nth(from).scrollIntoViewIfNeeded()
    for (const [n, at] of [from, to].entries()) {
      const { x = 0, y = 0, width = 0, height = 0 } = (await bars.nth(at).boundingBox()) ?? {}
      await touch.send('Input.dispatchTouchEvent', {
        type: n === 0 ? 'touchStart' : 'touchMove',
        touchPoints: [{ x: x + width / 2, y: y + height / 2 }],
      })
    }
    await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] })
  }
  await page.goto(`${house.gateway.url}/admin/usage`)
  await bars.nth(20).waitFor()
  await drag(20, 20)
  await page.locator('figure [aria-live]').getByText('Total').waitFor()
  await page.goto(`${house.gateway.url}/admin/explore`)
  await bars.nth(20).waitFor()
  await drag(20, 24)
  await page.waitForURL(/range=custom/)
  const asked = new URL(page.url()).searchParams
  const days = [20, 24].map((at) => new Date(NOON - (29 - at) * DAY_MS).toISOString().slice(0, 10))
  expect([asked.get('from'), asked.get('to')]).toEqual(days)
  expect(problems).toEqual([])
  await page.context().close()
})

test('what missed caches cost is told by person and cause, and any group is found that calls are booked to', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'admin')
  await page.goto(`${house.gateway.url}/admin/explore`)
  const missed = page.getByRole('region', { name: 'Caches that were missed' })
  // 50 requests, each of 100,000 tokens, for $1 a million instead of $0.10.
  await expect
    .poll(() => missed.locator('tbody tr').allInnerTexts())
    .toEqual([expect.stringMatching(/person-12\s+claude-haiku-4-5\s+Tools\s+50\s+5M\s+\$4\.50/)])
  await missed.getByRole('button', { name: 'person-12' }).click()
  await page.waitForURL(/user_id=112/)
  await page.goto(`${house.gateway.url}/admin/explore?user_id=101`)
  await page.getByText('No answer told of a missed cache in this period.').waitFor()
  const groups = page.getByRole('combobox', { name: 'Group' }).last()
  await groups.click()
  await page.getByRole('option', { name: 'Sales' }).click()
  await page.waitForURL(/group_id=8/)
  expect(await page.getByRole('heading', { name: 'Caches that were missed' }).count()).toBe(0)
  expect(problems).toEqual([])
  await page.context().close()
})
