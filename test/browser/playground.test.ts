/** The playground: a call like any other, with a key that is gone with the page. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultsOf, type House, openHouse } from './house.ts'

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house?.stop())

test('what may be used is asked, answered, logged and priced, and the key of the page leaves nothing behind', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'player')
  await page.goto(`${house.gateway.url}/playground?model=claude-fable-5-2`)
  const model = page.getByLabel('Model')
  await expect.poll(() => model.inputValue()).toBe('claude-sonnet-5-5')
  expect(await model.locator('option', { hasText: 'Fable 5.2' }).count()).toBe(0)
  await model.selectOption('claude-haiku-5-5')
  const most = page.getByLabel('Max tokens')
  await most.fill('0')
  await page.getByLabel('Message').fill('Refused')
  await page.keyboard.press('Control+Enter')
  await page.getByRole('alert').getByText('max_tokens').waitFor()
  await most.fill('100')
  const send = page.getByRole('button', { name: 'Send', exact: true })
  const calls: { key: string; cookie: string; body: { messages: { role: string }[] } }[] = []
  page.on('request', async (request) => {
    if (!request.url().endsWith('/v1/messages')) return
    const headers = await request.allHeaders()
    calls.push({
      ...{ key: headers['x-api-key'] ?? '', cookie: headers.cookie ?? '' },
      body: JSON.parse(request.postData() ?? ''),
    })
  })
  await page.getByLabel('System prompt').fill('Answer in one word.')
  for (const [n, question] of ["What's up?", 'And now?'].entries()) {
    await page.getByLabel('Message').fill(question)
    await send.click()
    await expect.poll(() => page.getByText(/^cost \$/).count()).toBe(n + 1)
  }
  expect(calls.map(({ body }) => body.messages.map(({ role }) => role))).toEqual([
    ['user'],
    ['user', 'assistant', 'user'],
  ])
  expect(calls[0]).toMatchObject({
    ...{ key: expect.stringMatching(/^sk-/), cookie: '' },
    body: { model: 'claude-haiku-5-5', system: 'Answer in one word.' },
  })
  expect(calls[1]?.key).toBe(calls[0]?.key)
  await page.getByRole('tab', { name: 'Python' }).click()
  expect(await page.locator('pre').textContent()).toContain('model="claude-haiku-5-5"')
  expect(await page.locator('pre').textContent()).toContain('"And now?"')
  expect(await faultsOf(page)).toEqual([])
  // What the browser keeps: nothing of the key.
  expect(await page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])')).not.toContain(
    'sk-',
  )

  await page
    .getByText(/^cost \$/)
    .first()
    .click()
  await page.waitForURL('**/usage/requests/req_*')
  await page.getByText('Playground').first().waitFor()
  await expect
    .poll(() => page.evaluate("fetch('/api/keys').then((a) => a.json()).then(({ keys }) => keys.length)"))
    .toBe(0)
  const again = await house.gateway.send(
    { model: 'claude-haiku-5-5', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] },
    { key: calls[0]?.key ?? '' },
  )
  expect(again.status).toBe(401)
  expect(problems).toEqual([])
  await page.context().close()
})

test('a call that is refused says why in the reader’s language, by the gateway’s code', async () => {
  const { page, problems } = await house.page({ locale: 'zh-CN', scheme: 'dark', width: 360 })
  await house.signIn(page, 'admin')
  await page.evaluate(`(async () => {
    const { user } = await (await fetch('/api/auth/me')).json()
    const body = JSON.stringify({ scope: 'user', scope_id: user.id, period: 'monthly', amount_usd: 0 })
    await fetch('/admin/api/limits', { method: 'PUT', headers: { 'content-type': 'application/json' }, body })
  })()`)
  await page.goto(`${house.gateway.url}/playground`)
  await page.getByLabel('消息', { exact: true }).fill('你好')
  await page.getByRole('button', { name: '发送', exact: true }).click()
  await page.getByText('限额已用完。可在“限额”页面查看是哪一项，并申请提高。').waitFor()
  expect([await faultsOf(page), problems]).toEqual([[], []])
  await page.context().close()
})
