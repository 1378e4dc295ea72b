/** The dashboard in a real browser, on the real server. */
import { eq } from 'drizzle-orm'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { users } from '../../core/db/schema.ts'
import { freePort } from '../support/ports.ts'
import { faultsOf, type House, type Look, openHouse } from './house.ts'

const MODEL = 'claude-fable-5-2'
const WORDS = {
  'en-US': {
    apply: 'Apply',
    reason: 'What do you need it for?',
    send: 'Send application',
    pending: 'Applied for',
    granted: 'Approved for you',
    approve: 'Approve',
    ready: 'Needs approval',
    disable: 'Disable',
    arrived: 'It arrived. Welcome!',
    begin: 'Begin',
    withKey: 'Claude Code with a key',
    ask: 'Ask',
    cost: /^cost \$/,
    make1: 'Create a key',
    ended: 'Your session has ended. Please sign in again.',
  },
  'zh-CN': {
    apply: '申请',
    reason: '您需要用它做什么？',
    send: '提交申请',
    pending: '已申请',
    granted: '已批准',
    approve: '批准',
    ready: '需要批准',
    disable: '停用',
    arrived: '收到了，欢迎使用！',
    begin: '开始',
    withKey: 'Claude Code（密钥）',
    ask: '提问',
    cost: /^费用 \$/,
    make1: '创建密钥',
    ended: '登录已失效，请重新登录。',
  },
}
const LOOKS: Look[] = [
  { locale: 'en-US', scheme: 'light', width: 1280 },
  { locale: 'zh-CN', scheme: 'dark', width: 360 },
]

let house: House
beforeAll(async () => {
  const port = await freePort()
  house = await openHouse({ server: { port, public_url: `http://127.0.0.1:${port}` } })
})
afterAll(() => house?.stop())

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })

describe.each(LOOKS)('in $locale, $scheme, $width px', (look) => {
  const words = WORDS[look.locale]
  const person = `p${look.width}-${look.locale}-${look.scheme}`.toLowerCase()

  test('someone new comes from nothing to a first call, applies for a model, gets it, uses it, and is let go', async () => {
    const { page, problems } = await house.page(look)
    const { page: office, problems: officeProblems } = await house.page(look)
    await house.signIn(page, person)
    expect(await page.evaluate('document.documentElement.lang')).toBe(
      look.locale === 'zh-CN' ? 'zh-CN' : 'en',
    )

    await button(page, words.begin).click()
    await page.getByRole('radio', { name: words.withKey }).check()
    await button(page, words.make1).click()
    const secret = (await page.locator('li code').first().textContent()) ?? ''
    expect(secret).toMatch(/^sk-[A-Za-z0-9]{40}$/)
    expect(await page.locator('pre').textContent()).toContain(`ANTHROPIC_BASE_URL=${house.gateway.url}`)
    await button(page, words.ask).click()
    await page.getByText(words.cost).waitFor()
    expect(await faultsOf(page)).toEqual([])
    const call = async (model: string) => {
      const body = { model, max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] }
      const answer = await house.gateway.send(body, { key: secret })
      await answer.text()
      return answer.status
    }
    expect(await call('claude-haiku-5-5')).toBe(200)
    await page.getByText(words.arrived).waitFor()
    await page.getByRole('status').getByText('claude-haiku-5-5').waitFor()
    // The key of the page's own call is gone with the page; the one that was asked for stays.
    await page.goto(`${house.gateway.url}/keys`)
    await page.getByText(words.withKey).first().waitFor()
    const names = () =>
      page.evaluate(
        "fetch('/api/keys').then((a) => a.json()).then(({ keys }) => keys.map(({ name }) => name))",
      )
    await expect.poll(names).toEqual([words.withKey])

    await page.goto(`${house.gateway.url}/models`)
    const row = page.getByRole('article').filter({ hasText: MODEL })
    await row.getByText(words.ready).waitFor()
    expect(await call(MODEL)).toBe(400)
    await row.getByRole('button', { name: words.apply }).click()
    await page.getByLabel(words.reason).fill('因为 <b>test</b>')
    await button(page, words.send).click()
    await row.getByText(words.pending).waitFor()

    await house.signIn(office, 'admin')
    await office.goto(`${house.gateway.url}/admin/requests`)
    const waiting = office.locator('tr, li').filter({ hasText: person })
    await waiting.getByText('因为 <b>test</b>').waitFor()
    await waiting.getByRole('checkbox').check()
    await button(office, words.approve).click()
    await expect.poll(() => call(MODEL)).toBe(200)
    await page.reload()
    await row.getByText(words.granted).waitFor()

    await page.goto(`${house.gateway.url}/usage`)
    await page.locator('td a').first().click()
    await page.waitForURL('**/usage/requests/req_*')
    await page.reload()
    await page.locator('dd').first().waitFor()
    expect(await faultsOf(page)).toEqual([])

    await office.goto(`${house.gateway.url}/admin/users?q=${person}`)
    await office.getByRole('link', { name: person }).click()
    await button(office, words.disable).first().click()
    await office.locator('dialog').getByRole('button', { name: words.disable }).click()
    await expect.poll(() => call('claude-haiku-5-5')).toBe(403)
    await page.goto(`${house.gateway.url}/keys`)
    await page.waitForURL('**/login?next=%2Fkeys')

    expect(problems).toEqual([])
    expect(officeProblems).toEqual([])
    await page.context().close()
    await office.context().close()
  })
})

describe('the site', () => {
  const desk: Look = { locale: 'en-US', scheme: 'light', width: 1280 }

  test('what connects Claude Code is shown as it is fetched, in the reader’s language', async () => {
    const { page, problems } = await house.page({ ...desk, locale: 'zh-CN' })
    await house.signIn(page, 'admin')
    await page.getByRole('link', { name: '接入' }).click()
    await page.getByText('macOS：配置描述文件').click()
    const fetched = await fetch(`${house.gateway.url}/api/connect/macos-profile`)
    const shown = page.locator('details[open]')
    await shown.locator('pre').waitFor()
    expect(await shown.locator('pre').textContent()).toBe((await fetched.text()).trimEnd())
    expect(await shown.locator('code').last().textContent()).toBe(
      `curl -fsSo com.anthropic.claudecode.mobileconfig ${house.gateway.url}/api/connect/macos-profile`,
    )
    expect([await faultsOf(page), problems]).toEqual([[], []])
    await page.context().close()
  })

  test('a key gets a new secret beside the old one, which is ended early', async () => {
    const { page, problems } = await house.page(desk)
    await house.signIn(page, 'rotator')
    await page.goto(`${house.gateway.url}/keys`)
    await button(page, 'New key').first().click()
    const dialog = page.locator('dialog[open]')
    const secretOf = async () => (await dialog.locator('code').first().textContent()) ?? ''
    await dialog.getByLabel('Name').fill('laptop')
    await button(page, 'Create key').click()
    await button(page, 'I have copied it').waitFor()
    const old = await secretOf()
    await button(page, 'I have copied it').click()
    await button(page, 'Rotate').click()
    expect(await faultsOf(page)).toEqual([])
    await button(page, 'Make new secret').click()
    await button(page, 'I have copied it').waitFor()
    const secret = await secretOf()
    await button(page, 'I have copied it').click()
    const statusOf = async (key: string) => {
      const answer = await fetch(`${house.gateway.url}/v1/models`, { headers: { 'x-api-key': key } })
      return answer.status
    }
    expect([await statusOf(old), await statusOf(secret)]).toEqual([200, 200])
    await page.getByText(`Old secret ${old.slice(0, 7)}…${old.slice(-4)} until`).waitFor()
    expect(await faultsOf(page)).toEqual([])
    await button(page, 'End now').click()
    await dialog.getByRole('button', { name: 'End now' }).click()
    await page.getByText('The old secret of laptop has ended').waitFor()
    expect(await page.getByText('Old secret sk-').count()).toBe(0)
    await expect.poll(() => statusOf(old)).toBe(401)
    expect([await statusOf(secret), problems]).toEqual([200, []])
    await page.context().close()
  })

  test('a session that ends leads to signing in and back to where one was', async () => {
    const { page } = await house.page(desk)
    await house.signIn(page, 'admin')
    await page.goto(`${house.gateway.url}/admin/audit`)
    const who = page.getByRole('combobox', { name: 'By whom' })
    await who.click()
    await page.getByRole('option', { name: 'admin', exact: true }).click()
    await page.waitForURL(/actor=/)
    const remembered = () => page.evaluate('Object.keys(localStorage).filter((key) => /^recent/.test(key))')
    expect(await remembered()).toEqual(['recent:user'])
    await page.goto(`${house.gateway.url}/admin/users?q=adm`)
    await page.locator('h1').waitFor()
    await page.evaluate(() => fetch('/api/auth/logout', { method: 'POST' }))
    await page.getByRole('link', { name: 'Audit' }).click()
    await page.waitForURL('**/login?next=%2Fadmin%2Faudit')
    await page.getByText('Your session has ended').waitFor()
    // Whoever uses the browser next does not see whom they looked for.
    expect(await remembered()).toEqual([])
    await page.context().close()
  })

  test.each(['//evil.test', '/\\evil.test', 'https://evil.test', '/%09/evil.test', 'javascript:alert(1)'])(
    'W07: next=%s leads nowhere else',
    async (next) => {
      const { page, problems } = await house.page(desk)
      await house.signIn(page, 'admin')
      await page.evaluate(() => fetch('/api/auth/logout', { method: 'POST' }))
      await page.goto(`${house.gateway.url}/login?next=${encodeURIComponent(next)}`)
      await page.locator('input').first().fill('admin')
      const old = house.codeOf('admin')
      await page.locator('button[type=submit]').click()
      await page.locator('fieldset input').first().waitFor()
      await expect.poll(() => house.codeOf('admin')).not.toBe(old)
      await page.keyboard.type(house.codeOf('admin'))
      await page.waitForURL((url) => !url.pathname.startsWith('/login'))
      expect(new URL(page.url()).origin).toBe(new URL(house.gateway.url).origin)
      expect(problems).toEqual([])
      await page.context().close()
    },
  )

  test('users do not get the pages of administrators', async () => {
    const { page } = await house.page(desk)
    await house.signIn(page, 'plain-user')
    await page.goto(`${house.gateway.url}/admin/users`)
    await page.waitForURL(`${house.gateway.url}/`)
    expect(await page.getByRole('link', { name: 'Users' }).count()).toBe(0)
    await page.context().close()
  })

  test('who may see costs gets their pages, and no others', async () => {
    const { page, problems } = await house.page(desk)
    await house.signIn(page, 'payer')
    await house.gateway.db.update(users).set({ role: 'billing' }).where(eq(users.itcode, 'payer'))
    await page.reload()
    await page.getByRole('link', { name: 'Statements', exact: true }).click()
    await page.locator('h1').waitFor()
    await page.goto(`${house.gateway.url}/admin`)
    await page.getByText('Top users by cost').waitFor()
    expect(await page.getByRole('link', { name: 'Users', exact: true }).count()).toBe(0)
    await page.goto(`${house.gateway.url}/admin/audit`)
    await page.waitForURL(`${house.gateway.url}/`)
    expect(problems).toEqual([])
    await page.context().close()
  })

  test('W04, W05, W08: files have their types and times; what is none is a JSON 404', async () => {
    const get = (path: string) => fetch(`${house.gateway.url}${path}`)
    const page = (path: string) =>
      fetch(`${house.gateway.url}${path}`, { headers: { accept: 'text/html,*/*;q=0.8' } })
    const home = await page('/')
    const html = await home.text()
    expect(home.headers.get('cache-control')).toBe('no-cache')
    const policy = home.headers.get('content-security-policy') ?? ''
    expect(policy).toMatch(
      /default-src 'none';.*script-src 'self' 'sha256-[\w+/=]+';.*frame-ancestors 'none'/,
    )
    expect(policy).not.toContain('unsafe-inline')
    // Nothing is painted without styles, so scripts must not be loaded before them.
    const [styles, scripts] = ['rel="stylesheet"', '.js"'].map((what) => html.indexOf(what))
    expect([(styles ?? 0) > 0, Math.min(styles ?? 0, scripts ?? 0)]).toEqual([true, styles])
    const [asset = ''] = /\/_app\/immutable\/[\w./-]+\.js/.exec(html) ?? []
    const script = await get(asset)
    expect([script.status, script.headers.get('cache-control'), script.headers.get('content-type')]).toEqual([
      200,
      'public, max-age=31536000, immutable',
      'text/javascript; charset=utf-8',
    ])
    expect((await page('/admin/users')).headers.get('content-type')).toBe('text/html; charset=utf-8')
    for (const path of [
      '/api/x',
      '/v1/x',
      '/admin/api/x',
      '/_app/x.js',
      '/.env',
      '/x.map',
      '/..%2fpackage.json',
      '/config.yaml',
    ]) {
      const answer = await get(path)
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([
        path,
        404,
        'application/json',
      ])
    }
  })

  test('the palette leads to a page, a person and back to where one was, by keyboard alone', async () => {
    const { page, problems } = await house.page({ locale: 'en-US', scheme: 'light', width: 1280 })
    await house.signIn(page, 'admin')
    await page.locator('h1').waitFor()
    await page.keyboard.press('Control+k')
    const palette = page.getByRole('dialog')
    await palette.waitFor()
    expect(await faultsOf(page)).toEqual([])
    await page.keyboard.type('audit')
    await palette.getByText('Audit', { exact: true }).waitFor()
    await page.keyboard.press('Enter')
    await page.waitForURL(`${house.gateway.url}/admin/audit`)
    await page.keyboard.press('Control+k')
    await page.keyboard.type('admin')
    await palette.getByText('Found').waitFor()
    expect(await palette.getByRole('option', { name: 'admin', exact: true }).count()).toBe(1)
    await page.keyboard.press('Escape')
    await palette.waitFor({ state: 'detached' })
    expect(page.url()).toBe(`${house.gateway.url}/admin/audit`)
    await page.getByRole('button', { name: 'Account' }).click()
    await page.getByRole('menuitem', { name: 'Sign out', exact: true }).waitFor()
    expect([await faultsOf(page), problems]).toEqual([[], []])
    await page.context().close()
  })

  test('sign-in and overview need at most 120 KB of script, with all texts of a language', async () => {
    const { page } = await house.page(desk)
    let bytes = 0
    page.on('response', async (response) => {
      if (response.url().endsWith('.js')) bytes += Number(response.headers()['content-length'] ?? 0)
    })
    await house.signIn(page, 'admin')
    await page.waitForLoadState('networkidle')
    expect(bytes).toBeGreaterThan(10_000)
    expect(bytes).toBeLessThan(120 * 1024)
    // What stands there until a page is there has gone.
    expect(await page.locator('#boot').count()).toBe(0)
    await page.context().close()
  })
})
