/** `npm run demo`: the whole gateway on a simulated Claude, in a folder that is thrown away at the end. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { loadConfig } from '../../config/load.ts'
import { settingsFrom } from '../../config/settings.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { randomText } from '../../core/ids.ts'
import { createKey } from '../../core/keys/manage.ts'
import { createLogger } from '../../core/logger.ts'
import { apply } from '../../core/requests/ask.ts'
import { review } from '../../core/requests/decide.ts'
import { usdOf } from '../../core/units.ts'
import { createUser } from '../../core/users/manage.ts'
import { flushPrint, print } from '../cli/print.ts'
import { sha256 } from '../drivers/sha256.ts'
import { openStorage, startServer } from '../node/server.ts'
import { pricesFrom } from '../shared/tables.ts'
import { seedUsage } from './seed.ts'
import { startSimulatedClaude } from './simulated-claude/index.ts'

const PEOPLE = [
  {
    itcode: 'admin',
    name: 'Ada Admin',
    role: 'admin',
    calls: 25,
    models: ['claude-opus-5-5', 'claude-sonnet-5-5'],
  },
  {
    itcode: 'dev',
    name: 'Dev Developer',
    role: 'user',
    calls: 60,
    models: ['claude-opus-5-5', 'claude-haiku-5-5'],
  },
  {
    itcode: 'li.wei',
    name: '李伟',
    role: 'user',
    calls: 40,
    models: ['claude-sonnet-5-5', 'claude-opus-5-5'],
  },
  {
    itcode: 'maria',
    name: 'María Pérez',
    role: 'user',
    calls: 15,
    models: ['claude-haiku-5-5', 'claude-fable-5-2'],
  },
] as const
const BUDGET_MICROS = 200_000_000
/** Needs approval; maria has it. */
const APPROVED_MODEL = 'claude-fable-5-2'

const folder = mkdtempSync(join(tmpdir(), 'claude-gateway-demo-'))
const claude = await startSimulatedClaude()
const backend = (name: string, weight: number) => ({ name, url: claude.url, api_key: `sim-${name}`, weight })
const config = loadConfig({
  text: stringify({
    server: { port: Number(process.env.PORT ?? 8080), host: '127.0.0.1', mode: 'debug' },
    database: { path: join(folder, 'gateway.db') },
    log: { format: 'text', level: 'warn' },
    auth: { session_secret: randomText(48, 'abcdefghijklmnopqrstuvwxyz0123456789'), admin_itcode: 'admin' },
    models: { rules: [{ match: APPROVED_MODEL, access: 'approval' }] },
    limits: { default_budget_usd: usdOf(BUDGET_MICROS) },
    backends: [backend('claude-primary', 10), backend('claude-second', 5)],
  }),
  file: 'demo',
  env: {},
  readFile: () => '',
})

const storage = await openStorage(config, { info() {}, warn() {} })
const { db } = storage
const habits = []
let secret = ''
const prices = pricesFrom(config)
const parts = { db, clock: systemClock, sha256, prices, settings: settingsFrom(config), actor: COMMAND_LINE }
let reviewerId = 0
for (const { itcode, name, role, calls, models } of PEOPLE) {
  const user = await createUser(parts, {
    itcode,
    name,
    role,
    quotaTokens: 0,
    budgetMicros: role === 'user' ? BUDGET_MICROS : 0,
  })
  if (role === 'admin') reviewerId = user.id
  if (itcode === 'maria' || itcode === 'li.wei') {
    const reason = 'For the translation of our handbook.'
    const { id } = await apply(parts, { userId: user.id, model: APPROVED_MODEL, reason })
    if (itcode === 'maria') await review(parts, id, { reviewerId, status: 'approved', note: null })
  }
  const made = await createKey(parts, { userId: user.id, name: 'Claude Code', expiresAt: null })
  if (itcode === 'dev') secret = made.secret
  habits.push({ userId: user.id, keyId: made.key.id, calls, models })
}
const seeded = await seedUsage({ db, prices, now: systemClock.now(), habits })
storage.close()

const logger = createLogger({ ...config.log, clock: systemClock, print })
const server = await startServer(config, logger).catch(async (cause: unknown) => {
  await claude.stop()
  rmSync(folder, { recursive: true, force: true })
  console.error(`${cause instanceof Error ? cause.message : cause} (another port: PORT=8081 npm run demo)`)
  process.exit(1)
})

console.log(`
  Claude Gateway, demo. A simulated Claude answers: nothing leaves this machine, nothing is kept.

  Gateway   ${server.url}
  Users     admin (administrator), dev, li.wei, maria, with ${seeded} calls of the last four weeks
  Key       ${secret}   (of dev, budget $${usdOf(BUDGET_MICROS)} a month)

  Ask something:
    curl ${server.url}/v1/messages -H "x-api-key: ${secret}" -H "content-type: application/json" \\
      -d '{"model":"claude-opus-5-5","max_tokens":200,"stream":true,"messages":[{"role":"user","content":"Hello!"}]}'

  Sign in (the code appears here), or walk through everything with curl:
    sh test/walk.sh ${server.url} LOG        where LOG is a file with this output; see there
    Reference of all routes: ${server.url}/docs

  Point Claude Code at it:
    ANTHROPIC_BASE_URL=${server.url} ANTHROPIC_AUTH_TOKEN=${secret} claude

  Ctrl-C ends it.
`)

async function stop() {
  await server.stop()
  await claude.stop()
  rmSync(folder, { recursive: true, force: true })
  flushPrint()
  process.exit(0)
}
process.once('SIGINT', stop)
process.once('SIGTERM', stop)
