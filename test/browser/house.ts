/** Everything a browser needs: the real server on a simulated Claude, codes that are caught on their way, Chromium. */
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { temporaryFolder } from '../support/stores.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
export const CHROMIUM = [
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find(existsSync)
export const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
]

const HEIGHT = 800

export interface Look {
  locale: 'en-US' | 'zh-CN'
  scheme: 'light' | 'dark'
  width: number
  /** Asia/Shanghai, if it is not given. */
  zone?: string
}

export interface House {
  gateway: TestGateway
  /** A page of a new browser, and what went wrong on it: console errors, violated policies, failed requests. */
  page(look: Look): Promise<{ page: Page; problems: string[] }>
  /** The code that was sent to this account last. */
  codeOf(account: string): string
  /** `here`: on the sign-in page that it is led to. */
  signIn(page: Page, account: string, at?: { here: true }): Promise<void>
  stop(): Promise<void>
}

/** `settings` are beside those that every house has. `database`: a file whose copy it begins with, instead of an empty one. */
export async function openHouse(settings: object = {}, database?: string): Promise<House> {
  if (!CHROMIUM) throw new Error('There is no Chromium: apt-get install chromium-headless-shell')
  const folder = temporaryFolder()
  const path = join(folder.path, 'gateway.db')
  if (database !== undefined) copyFileSync(database, path)
  const claude = await startSimulatedClaude({ pace: 1 })
  const codes = new Map<string, string>()
  const post = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { email, html } = JSON.parse(body)
    codes.set(email, /<h1>(\w+)<\/h1>/.exec(html)?.[1] ?? '')
    response.end()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => post.once('listening', resolve))
  const { port } = post.address() as AddressInfo // it listens on a port
  const gateway = await startGateway({
    ...settings,
    database: { path },
    backends: [{ name: 'claude', url: claude.url, api_key: 'sim-upstream' }],
    models: { rules: [{ match: 'claude-fable-5-2', access: 'approval' }] },
    auth: {
      session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a',
      admin_itcode: 'admin',
      send_code_url: `http://127.0.0.1:${port}/send`,
    },
  })
  const browser: Browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET })

  const codeOf = (account: string) => codes.get(account) ?? ''
  return {
    gateway,
    codeOf,
    async page({ locale, scheme, width, zone = 'Asia/Shanghai' }) {
      const context = await browser.newContext({
        locale,
        colorScheme: scheme,
        viewport: { width, height: HEIGHT },
        timezoneId: zone,
        permissions: ['clipboard-read', 'clipboard-write'],
      })
      const page = await context.newPage()
      const problems: string[] = []
      page.on('pageerror', (error) => problems.push(`error: ${error.message}`))
      page.on('console', (message) => {
        // A browser reports every answer above 399; those that are meant are asserted where they are meant.
        const isAnswer = message.text().startsWith('Failed to load resource')
        if (message.type() === 'error' && !isAnswer) problems.push(message.text())
      })
      page.on('request', (request) => {
        if (!request.url().startsWith(gateway.url) && !request.url().startsWith('data:')) {
          problems.push(`outside: ${request.url()}`)
        }
      })
      page.on('response', (response) => {
        if (response.status() >= 500) problems.push(`${response.status()} ${response.url()}`)
      })
      return { page, problems }
    },
    async signIn(page, account, at) {
      codes.delete(account)
      if (!at) await page.goto(`${gateway.url}/login`)
      await page.locator('input').first().fill(account)
      await page.locator('button[type=submit]').click()
      await page.locator('fieldset input').first().waitFor()
      while (codeOf(account) === '') await page.waitForTimeout(20)
      await page.keyboard.type(codeOf(account).toLowerCase())
      await page.waitForURL((url) => !url.pathname.startsWith('/login'))
    },
    async stop() {
      await browser.close()
      await gateway.stop()
      post.closeAllConnections()
      post.close()
      await claude.stop()
      folder.remove()
    },
  }
}

/** Shows the same page in another theme and width. */
export async function show(page: Page, { scheme, width }: Pick<Look, 'scheme' | 'width'>): Promise<void> {
  await page.setViewportSize({ width, height: HEIGHT })
  await page.emulateMedia({ colorScheme: scheme })
  await page.locator(`html[data-theme=${scheme}]`).waitFor()
}

/** What an accessibility checker (WCAG 2.2 AA and best practice) finds, and whether the page is wider than the screen. */
export async function faultsOf(page: Page): Promise<string[]> {
  // What is on its way, or fades in, has no contrast yet. What turns for ever is not waited for.
  await page.waitForSelector('[aria-busy=true]', { state: 'detached' })
  await page.evaluate(`Promise.allSettled(document.getAnimations()
    .filter(({ effect }) => Number.isFinite(effect.getComputedTiming().endTime))
    .map(({ finished }) => finished)).then(() => {})`)
  // Evaluated by the debugger, so that the page's own policy stays in force.
  await page.evaluate(AXE)
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
  // What axe answers, by its own documentation. What passes is not told: its selectors take longer than the check.
  const options = JSON.stringify({ runOnly: tags, resultTypes: ['violations'] })
  const violations = (await page.evaluate(
    `axe.run(document, ${options}).then(({ violations }) => violations)`,
  )) as { id: string; nodes: { html: string }[] }[]
  const found = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
  )
  // As text: the types of a page's own objects are not those of this process.
  const over: number = await page.evaluate(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  )
  return over > 0 ? [...found, `wider than the screen by ${over}`] : found
}
