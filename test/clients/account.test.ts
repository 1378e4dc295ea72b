/** The official SDKs keep batches, files and skills in an account through the gateway, unchanged. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { knownKey } from '../support/runtime.ts'
import { PROGRAMS_FOLDER, PYTHON } from './install.ts'

const run = promisify(execFile)
const PROGRAMS = join(import.meta.dirname, 'programs')
/** Long enough to be deleted too early, and cancelled. */
const BATCH_MS = 1_500

describe('the SDK', () => {
  let claude: SimulatedClaude
  let gateway: TestGateway
  beforeAll(async () => {
    claude = await startSimulatedClaude({ pace: 0 })
    claude.account.batchMs = BATCH_MS
    gateway = await startGateway({ backends: [{ name: 'claude', url: claude.url, api_key: 'sim-upstream' }] })
    mkdirSync(PROGRAMS_FOLDER, { recursive: true })
    copyFileSync(join(PROGRAMS, 'account.mjs'), join(PROGRAMS_FOLDER, 'account.mjs'))
  })
  afterAll(async () => {
    await gateway.stop()
    await claude.stop()
  })

  // Both are people of one account: none sees what is the other one's.
  test.concurrent.for([
    { language: 'TypeScript', command: process.execPath, file: join(PROGRAMS_FOLDER, 'account.mjs') },
    { language: 'Python', command: PYTHON, file: join(PROGRAMS, 'python/account.py') },
  ])('for $language has batches, files and skills', async ({ command, file }, { expect }) => {
    const { secret, keyId } = await knownKey(gateway, { atOnce: 1 }, {})
    const env = { PATH: process.env.PATH, BASE_URL: gateway.url, API_KEY: secret, MODEL: 'claude-opus-5-5' }
    const { stdout } = await run(command, [file], { env, timeout: 60_000 })
    const missing = { kind: 'NotFoundError', status: 404 }
    expect(JSON.parse(stdout)).toEqual({
      made: 'in_progress',
      cancelling: 'canceling',
      counts: { processing: 0, succeeded: 2, errored: 1, canceled: 0, expired: 0 },
      results: [
        ['one', 'succeeded', expect.stringContaining('Hello')],
        ['two', 'errored', ''],
        ['three', 'succeeded', expect.stringContaining('Bye')],
      ],
      cancelled: ['canceled'],
      listed: [2, 1, 0],
      ofBeta: 3,
      files: ['ü b.txt', 11, 'in ü b.txt', 'end_turn'],
      left: ['c.txt', 'a.txt'],
      leftOfBeta: 2,
      skill: ['Greet', true, 'PK'],
      versions: 2,
      skills: [1, ['custom', 'anthropic', 'anthropic', 'anthropic', 'anthropic']],
      types: ['message_batch_deleted', 'file_deleted', 'skill_deleted'],
      failures: {
        early: { kind: 'ConflictError', status: 409 },
        tooEarly: { kind: 'BadRequestError', status: 400 },
        goneBatch: missing,
        goneFile: missing,
        goneSkill: missing,
      },
    })
    const rowsOfKey = async () => (await gateway.rows(0)).filter(({ apiKeyId }) => apiKeyId === keyId)
    await expect
      .poll(async () => (await rowsOfKey()).map(({ serviceTier }) => serviceTier).sort())
      .toEqual(['batch', 'batch', 'batch', 'standard'])
  })
})
