/** The playground: a call like any other, with a key that is gone with the page. */
import type { Route } from 'playwright-core'
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
  // As the button: the form says what is wrong.
  await expect.poll(() => page.evaluate('document.activeElement.validationMessage')).not.toBe('')
  expect(await page.getByRole('alert').count()).toBe(0)
  expect(await page.getByLabel('Message').inputValue()).toBe('Refused')
  await most.fill('100')
  const send = page.getByRole('button', { name: 'Send', exact: true })
  const calls: { key: string; cookie: string; body: { messages: { role: string }[] } }[] = []
  page.on('request', async (request) => {
    if (!request.url().endsWith('/v1/messages')) return
    const headers = await request.allHeaders()
    calls.push({
      key: headers['x-api-key'] ?? '',
      cookie: headers.cookie ?? '',
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
    key: expect.stringMatching(/^sk-/),
    cookie: '',
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
  // Once somebody raised the limit, it is sent again, not typed again.
  expect(await page.getByLabel('消息', { exact: true }).inputValue()).toBe('你好')
  expect([await faultsOf(page), problems]).toEqual([[], []])
  await page.context().close()
})

test('an answer that ends too early says so, and what was asked is in the code as it was asked', async () => {
  const { page } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'player')
  await page.goto(`${house.gateway.url}/playground`)
  const event = (type: string, fields: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
  const half = event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'Half of' } })
  const whole = half + event('message_stop', {})
  const answers: ((route: Route) => Promise<void>)[] = [
    (route) => route.fulfill({ contentType: 'text/event-stream', body: whole }),
    (route) => route.fulfill({ contentType: 'text/event-stream', body: half }),
    (route) => route.abort(),
    (route) => route.fulfill({ status: 504, contentType: 'text/html', body: '<html></html>' }),
    () => new Promise(() => {}),
  ]
  await page.route('**/v1/messages', (route) => answers.shift()?.(route))
  const ask = async (said: string) => {
    await page.getByLabel('Message').fill('Hello?')
    await page.keyboard.press('Control+Enter')
    await page.getByText(said, { exact: true }).waitFor()
  }
  const question = () => page.getByLabel('Message').inputValue()
  await ask('Half of')
  expect(await question()).toBe('')
  await ask('The answer broke off: The connection ended.')
  expect(await question()).toBe('Hello?')
  await ask('The gateway cannot be reached. Check your connection.')
  // The call that failed was asked after the one that was answered.
  expect(await page.locator('pre').textContent()).toContain('"content": "Half of"')
  await ask('Gateway Timeout')
  await ask('Waiting for the answer …')
  await page.getByLabel('Message').fill('Something else')
  await page.getByRole('button', { name: 'Stop', exact: true }).click()
  await page.getByText('Stopped.', { exact: true }).waitFor()
  expect(await question()).toBe('Something else')
  await page.context().close()
})

test('the key of the page is gone with the page, also one that was being made, and there is another after it was deleted', async () => {
  const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
  await house.signIn(page, 'keeper')
  const keys = () =>
    page.evaluate("fetch('/api/keys').then((a) => a.json()).then(({ keys }) => keys.map(({ id }) => id))")
  await page.goto(`${house.gateway.url}/playground`)
  const ask = async (said: string | RegExp) => {
    await page.getByLabel('Message').fill('Hello?')
    await page.keyboard.press('Control+Enter')
    await page.getByText(said).last().waitFor()
  }
  await ask(/^cost \$/)
  const made = await keys()
  await page.evaluate(`fetch('/api/keys/${made}', { method: 'DELETE' })`)
  await ask('This API key is unknown.')
  await page.getByRole('button', { name: 'Start over' }).click()
  await ask(/^cost \$/)
  expect(await keys()).not.toEqual(made)

  await page.getByRole('link', { name: 'Models', exact: true }).click()
  await expect.poll(keys).toEqual([])
  await page.goBack()
  const { promise: left, resolve: leave } = Promise.withResolvers<void>()
  await page.route('**/api/keys', async (route) => {
    await left
    await route.continue()
  })
  await page.getByLabel('Message').fill('Hello?')
  const asked = page.waitForRequest((request) => request.url().endsWith('/api/keys'))
  await page.keyboard.press('Control+Enter')
  await asked
  await page.getByRole('link', { name: 'Models', exact: true }).click()
  await page.getByRole('heading', { name: 'Models', exact: true }).waitFor()
  const deleted = page.waitForResponse((response) => response.request().method() === 'DELETE')
  leave()
  await deleted
  expect([await keys(), problems]).toEqual([[], []])
  await page.context().close()
})
