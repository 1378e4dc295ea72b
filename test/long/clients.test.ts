/** Programs for the terminal whose installation takes minutes: aider, opencode and Continue. `npm run test:clients:more`. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { npmInstall, pipInstall, TOOLS_FOLDER } from '../support/install.ts'
import { temporaryFolder } from '../support/stores.ts'

const MODEL = 'claude-opus-5-5'
const FOLDER = join(TOOLS_FOLDER, 'clients-more')
const AIDER_FOLDER = join(TOOLS_FOLDER, 'clients-aider')
const PINNED = [
  { name: 'opencode-ai', version: '1.18.33' },
  { name: '@continuedev/cli', version: '1.5.47' },
]
const INSTALLING_MS = 900_000
const LONGEST_RUN_MS = 100_000
const SAID = 'I am a simulated Claude'
const TOOL_SAID = 'The tool said: “hello from the simulated Claude”'
const UNKNOWN_KEY = /This API key is unknown\. Check it, or\s+make a new one\./

let claude: SimulatedClaude
let gateway: TestGateway
let key: Awaited<ReturnType<TestGateway['newKey']>>
let home: ReturnType<typeof temporaryFolder>

beforeAll(async () => {
  await npmInstall(FOLDER, PINNED)
  await pipInstall(AIDER_FOLDER, ['aider-chat==0.86.2'])
  claude = await startSimulatedClaude({ pace: 0 })
  gateway = await startGateway({ backends: [{ name: 'claude', url: claude.url, api_key: 'sim-upstream' }] })
  home = temporaryFolder()
}, INSTALLING_MS)
afterAll(async () => {
  await gateway?.stop()
  await claude?.stop()
  home?.remove()
})
beforeEach(async () => {
  key = await gateway.newKey()
})

/** All that the program prints. */
async function run(command: string, args: readonly string[], variables: Record<string, string> = {}) {
  const child = spawn(command, args, {
    cwd: home.path,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LONGEST_RUN_MS,
    killSignal: 'SIGKILL',
    env: { PATH: process.env.PATH, HOME: home.path, ...variables },
  })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return stdout + stderr
}

/** How the calls of this test's key ended. */
async function outcomes() {
  const rows = (await gateway.rows(0)).filter(({ apiKeyId }) => apiKeyId === key.keyId)
  return rows.map(({ outcome, estimated, outputTokens }) => ({
    outcome,
    estimated,
    counted: outputTokens > 0,
  }))
}
const GOOD = { outcome: 'ok', estimated: false, counted: true }

describe('opencode', () => {
  const opencode = (provider: string, words: string, secret = key.secret) => {
    const options = { baseURL: `${gateway.url}/v1`, apiKey: secret }
    const models = { [MODEL]: {} }
    writeFileSync(
      join(home.path, 'opencode.json'),
      JSON.stringify({
        autoupdate: false,
        share: 'disabled',
        small_model: `${provider}/${MODEL}`,
        provider: {
          house: { npm: '@ai-sdk/openai-compatible', name: 'House', options, models },
          anthropic: { options, models },
        },
      }),
    )
    return run(join(FOLDER, 'node_modules/.bin/opencode'), ['run', '--model', `${provider}/${MODEL}`, words])
  }

  test.each(['house', 'anthropic'])('answers and uses a tool (%s)', async (provider) => {
    expect(await opencode(provider, 'Hello there')).toContain(SAID)
    expect(await opencode(provider, 'use the bash tool')).toContain(TOOL_SAID)
    await expect.poll(async () => (await outcomes()).length).toBeGreaterThanOrEqual(3)
    for (const end of await outcomes()) expect(end).toEqual(GOOD)
  })
  test('shows what is wrong', async () => {
    expect(await opencode('house', 'Hello there', 'sk-wrong')).toMatch(UNKNOWN_KEY)
    expect(await outcomes()).toEqual([])
  })
})

describe('Continue', () => {
  const cn = (provider: string, words: string, secret = key.secret) => {
    const file = join(home.path, 'continue.yaml')
    const model = { name: 'chat', provider, model: MODEL, apiBase: `${gateway.url}/v1`, apiKey: secret }
    const models = [{ ...model, roles: ['chat'], capabilities: ['tool_use'] }]
    writeFileSync(file, stringify({ name: 'house', version: '0.0.1', schema: 'v1', models }))
    return run(join(FOLDER, 'node_modules/.bin/cn'), ['-p', words, '--auto', '--config', file])
  }

  test.each(['openai', 'anthropic'])('answers and uses a tool (%s)', async (provider) => {
    expect(await cn(provider, 'Hello there')).toContain(SAID)
    expect(await cn(provider, 'use the Bash tool')).toContain(TOOL_SAID)
    await expect.poll(async () => (await outcomes()).length).toBeGreaterThanOrEqual(3)
    for (const end of await outcomes()) expect(end).toEqual(GOOD)
  })
  test('shows what is wrong', async () => {
    expect(await cn('openai', 'Hello there', 'sk-wrong')).toMatch(UNKNOWN_KEY)
    expect(await outcomes()).toEqual([])
  })
})

/** It has no tools: it edits files by what the model writes. */
describe('aider', () => {
  const aider = (how: string, secret = key.secret) => {
    const quiet = ['--no-check-update', '--no-show-model-warnings', '--analytics-disable', '--no-pretty']
    const args = ['--model', `openai/${MODEL}`, '--message', 'Hello there', '--no-git', '--yes-always', how]
    return run(join(AIDER_FOLDER, 'bin/aider'), [...args, ...quiet], {
      OPENAI_API_BASE: `${gateway.url}/v1`,
      OPENAI_API_KEY: secret,
    })
  }

  test.each(['--no-stream', '--stream'])('is answered (%s)', async (how) => {
    expect((await aider(how)).replace(/\s+/g, ' ')).toContain(SAID)
    await expect.poll(outcomes).toContainEqual(GOOD)
  })
  test('shows what is wrong', async () => {
    expect(await aider('--stream', 'sk-wrong')).toMatch(UNKNOWN_KEY)
    expect(await outcomes()).toEqual([])
  })
})
