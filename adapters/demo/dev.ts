/**
 * `npm run dev`: the gateway on a simulated Claude, restarted when a source changes; the dashboard with hot reload; and a
 * link that signs a browser in. Its data is deleted at the end.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer, type Plugin } from 'vite'
import { loadConfig } from '../../config/load.ts'
import { settingsFrom } from '../../config/settings.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { handOverCode } from '../../core/auth/codes.ts'
import { systemClock } from '../../core/clock.ts'
import { API_PREFIXES } from '../../functions/site.ts'
import { openStorage } from '../node/drivers.ts'
import { ADMIN, companySettings, seedCompany } from './company.ts'
import { startSimulatedClaude } from './simulated-claude/index.ts'

const SIGN_IN = '/sign-in'
const POLL_MS = 100

const folder = mkdtempSync(join(tmpdir(), 'claude-gateway-dev-'))
const claude = await startSimulatedClaude()
const text = companySettings(folder, claude.url)
const configPath = join(folder, 'config.yaml')
writeFileSync(configPath, text, { mode: 0o600 })
const config = loadConfig({ text, file: configPath, env: {}, readFile: () => '' })
const { db, close } = await openStorage(config, { info() {}, warn() {} })
const { secret } = await seedCompany(db, config)

const gatewayUrl = `http://127.0.0.1:${config.server.port}`
const gateway = spawn(process.execPath, ['--watch', '--watch-preserve-output', 'adapters/node/index.ts'], {
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { ...process.env, CONFIG_PATH: configPath },
})

/** Signs in with a code handed over as the command line does, and passes the cookies to the browser. */
const signIn: Plugin = {
  name: 'sign-in',
  configureServer({ middlewares }) {
    middlewares.use(SIGN_IN, async ({ headers: { host = '' } }, response) => {
      const auth = settingsFrom(config).auth
      const { code } = await handOverCode(
        { db, clock: systemClock, auth },
        { itcode: ADMIN, actor: COMMAND_LINE },
      )
      const answer = await fetch(`http://${host}/api/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: `http://${host}` },
        body: JSON.stringify({ itcode: ADMIN, code }),
      })
      if (answer.ok)
        response.writeHead(302, { location: '/', 'set-cookie': answer.headers.getSetCookie() }).end()
      else response.writeHead(502).end(await answer.text())
    })
  },
}

// SvelteKit looks for its files in the current folder.
process.chdir('site')
const site = await createServer({
  plugins: [signIn],
  server: {
    host: '127.0.0.1',
    // Keeps the browser's Host header, because the gateway compares it with Origin.
    proxy: Object.fromEntries(API_PREFIXES.map((prefix) => [prefix, { target: gatewayUrl }])),
  },
  clearScreen: false,
  logLevel: 'warn',
})

let stopping = false
async function stop(code: number) {
  if (stopping) return
  stopping = true
  gateway.kill()
  await Promise.all([site.close(), claude.stop()])
  close()
  rmSync(folder, { recursive: true, force: true })
  process.exit(code)
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop(0))
gateway.once('exit', () => void stop(1))

while (!(await fetch(`${gatewayUrl}/healthz`).catch(() => undefined))) await sleep(POLL_MS)
await site.listen()
console.log(`
  Signed in as ${ADMIN}   ${site.resolvedUrls?.local[0]?.replace(/\/$/, '')}${SIGN_IN}
  Gateway            ${gatewayUrl}   (another port: PORT=8081 npm run dev)
  Key                ${secret}

  Ctrl-C ends it.
`)
