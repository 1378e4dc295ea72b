/**
 * `npm run screenshots`: every page of the demo as a picture, in dist/screenshots, light and dark, in both languages, on a desk and on a
 * phone. Words after it choose pages: `npm run screenshots -- /admin/users`. `npm run pictures`: those of the README and the guides, in
 * .github/pictures.
 */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { freePort } from '../support/ports.ts'
import { CHROMIUM, QUIET } from './house.ts'
import { ADMIN_PAGES, OWN_PAGES } from './pages.ts'

const ROOT = join(import.meta.dirname, '../..')
const FOLDER = join(ROOT, 'dist/screenshots')
const PICTURES = join(ROOT, '.github/pictures')
const LOOKS = [
  { name: 'light', locale: 'en-US', scheme: 'light', width: 1440 },
  { name: 'dark', locale: 'en-US', scheme: 'dark', width: 1440 },
  { name: 'zh', locale: 'zh-CN', scheme: 'light', width: 1440 },
  { name: 'phone', locale: 'en-US', scheme: 'light', width: 390 },
] as const

const port = String(await freePort())
const demo = spawn(process.execPath, ['adapters/demo/index.ts'], {
  env: { ...process.env, PORT: port },
  stdio: ['ignore', 'pipe', 'inherit'],
})
let output = ''
demo.stdout.on('data', (data: Buffer) => {
  output += data
})
const url = `http://localhost:${port}`

const PATIENCE_MS = 60_000

async function said(what: RegExp): Promise<string> {
  const end = Date.now() + PATIENCE_MS
  for (;;) {
    const found = what.exec(output)?.[1]
    if (found) return found
    if (Date.now() > end) throw new Error(`The demo did not say ${what}:\n${output}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function signIn(page: Page) {
  output = ''
  await page.goto(`${url}/login`)
  await page.locator('input').first().fill('admin')
  await page.locator('button[type=submit]').click()
  await page.locator('fieldset input').first().waitFor()
  await page.keyboard.type(await said(/code\.no_sender.*\bcode"?[:=]"?(\w+)/))
  await page.waitForURL((at) => !at.pathname.startsWith('/login'))
}

/** Shown when nothing is loading any more. */
async function open(page: Page, path: string) {
  await page.goto(url + path)
  await page.locator('h1').first().waitFor()
  await page.waitForLoadState('networkidle', { timeout: 5_000 }).catch(() => {})
  await page.waitForSelector('[aria-busy=true]', { state: 'detached', timeout: PATIENCE_MS })
}

async function signedIn(browser: Browser) {
  const first = await browser.newContext()
  await signIn(await first.newPage())
  return first.storageState()
}

async function take(browser: Browser, pages: readonly string[]) {
  mkdirSync(FOLDER, { recursive: true })
  const storageState = await signedIn(browser)
  for (const { name, locale, scheme, width } of LOOKS) {
    const viewport = { width, height: width < 500 ? 844 : 900 }
    const context = await browser.newContext({ storageState, locale, colorScheme: scheme, viewport })
    const page = await context.newPage()
    for (const path of pages) {
      await open(page, path)
      const file = `${path === '/' ? 'overview' : path.slice(1).replaceAll('/', '-')}-${name}.png`
      await page.screenshot({ path: join(FOLDER, file), fullPage: true })
    }
    await context.close()
  }
  console.log(`Wrote pictures to ${FOLDER}`)
}

/** The latest call that went well. */
const A_CALL = `fetch('/admin/api/usage?outcome=ok').then((answer) => answer.json()).then(({ logs }) => logs[0].request_id)`

async function illustrate(browser: Browser) {
  mkdirSync(PICTURES, { recursive: true })
  const storageState = await signedIn(browser)
  const viewport = { width: 1280, height: 800 }
  for (const scheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ storageState, locale: 'en-US', colorScheme: scheme, viewport })
    const page = await context.newPage()
    const shoot = (name: string) => page.screenshot({ path: join(PICTURES, `${name}.png`) })
    if (scheme === 'dark') {
      await open(page, '/admin')
      await shoot('admin')
    } else {
      await open(page, '/')
      await shoot('overview')
      await open(page, `/admin/usage/requests/${await page.evaluate(A_CALL)}`)
      await shoot('request')
      for (const [path, name] of [
        ['/admin/explore', 'explore'],
        ['/models', 'models'],
      ] as const) {
        await open(page, path)
        await shoot(name)
      }
      await open(page, '/playground')
      await page.getByLabel('System prompt').fill('Answer in two sentences.')
      await page.getByLabel('Message').fill('Why does a prompt cache make an answer cheaper?')
      await page.getByRole('button', { name: 'Send', exact: true }).click()
      await page.getByText(/^cost /).waitFor()
      await shoot('playground')
    }
    await context.close()
  }
  console.log(`Wrote pictures to ${PICTURES}`)
}

const asked = process.argv.slice(2)
await said(/(Ctrl-C) ends it/)
const browser = await chromium.launch({ args: QUIET, ...(CHROMIUM ? { executablePath: CHROMIUM } : {}) })
try {
  if (asked[0] === '--pictures') await illustrate(browser)
  else await take(browser, asked.length > 0 ? asked : [...OWN_PAGES, ...ADMIN_PAGES])
} finally {
  await browser.close()
  demo.kill('SIGINT')
}
