/** `npm run demo`: the whole gateway on a simulated Claude, with its data in a folder that is deleted at the end. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../config/load.ts'
import { systemClock } from '../../core/clock.ts'
import { createLogger } from '../../core/logger.ts'
import { usdOf } from '../../core/units.ts'
import { flushPrint, print } from '../cli/print.ts'
import { openStorage } from '../node/drivers.ts'
import { startServer } from '../node/server.ts'
import { BUDGET_MICROS, companySettings, seedCompany } from './company.ts'
import { PEOPLE } from './people.ts'
import { startSimulatedClaude } from './simulated-claude/index.ts'
import { startWork } from './work.ts'

const folder = mkdtempSync(join(tmpdir(), 'claude-gateway-demo-'))
const claude = await startSimulatedClaude()
const text = companySettings(folder, claude.url)
const config = loadConfig({ text, file: 'demo', env: {}, readFile: () => '' })

const storage = await openStorage(config, { info() {}, warn() {} })
const { secret, calls, colleagues } = await seedCompany(storage.db, config)
await storage.close()

const logger = createLogger({ ...config.log, clock: systemClock, print })
const server = await startServer(config, logger).catch(async (cause: unknown) => {
  await claude.stop()
  rmSync(folder, { recursive: true, force: true })
  console.error(`${cause instanceof Error ? cause.message : cause} (another port: PORT=8081 npm run demo)`)
  process.exit(1)
})

const endWork = startWork(server.url, colleagues)

console.log(`
  Claude Gateway, demo. A simulated Claude answers: nothing leaves this machine, nothing is kept.

  Gateway   ${server.url}
  Users     admin (administrator), dev and ${PEOPLE.length - 2} more, with ${calls} calls of the last ten weeks; they go on calling
  Key       ${secret}   (of dev, budget $${usdOf(BUDGET_MICROS)} a month)

  Ask something:
    curl ${server.url}/v1/messages -H "x-api-key: ${secret}" -H "content-type: application/json" \\
      -d '{"model":"claude-opus-5-5","max_tokens":200,"stream":true,"messages":[{"role":"user","content":"Hello!"}]}'

  Sign in (the code appears here), or walk through everything with curl:
    sh test/walk.sh ${server.url} LOG        where LOG is a file with this output; see there
    Guides and reference:    ${server.url}/docs

  Point Claude Code at it:
    ANTHROPIC_BASE_URL=${server.url} ANTHROPIC_AUTH_TOKEN=${secret} claude

  Ctrl-C ends it.
`)

async function stop() {
  endWork()
  await server.stop()
  await claude.stop()
  rmSync(folder, { recursive: true, force: true })
  flushPrint()
  process.exit(0)
}
process.once('SIGINT', stop)
process.once('SIGTERM', stop)
