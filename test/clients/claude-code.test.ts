/** The real Claude Code, run as a person runs it, against the real gateway. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { temporaryFolder } from '../support/stores.ts'
import { errorJson, startUpstream } from '../support/upstream.ts'
import { CLAUDE_BINARY } from './install.ts'
import { startWitness, type Witness } from './witness.ts'

const LONGEST_RUN_MS = 60_000
const MESSAGES = 'POST /v1/messages?beta=true'

/** What `--output-format json` prints, as far as it is read here. */
const Printed = z.object({
  is_error: z.boolean(),
  result: z.string(),
  num_turns: z.number(),
  api_error_status: z.number().nullable(),
  permission_denials: z.array(z.looseObject({ tool_name: z.string() })),
  modelUsage: z.record(
    z.string(),
    z.object({
      inputTokens: z.number(),
      outputTokens: z.number(),
      cacheReadInputTokens: z.number(),
      cacheCreationInputTokens: z.number(),
      costUSD: z.number(),
    }),
  ),
})
type Printed = z.infer<typeof Printed>
type Row = Awaited<ReturnType<TestGateway['rows']>>[number]

/** What the gateway recorded, in the words of Claude Code, all rows together. */
function usageOf(rows: readonly Row[]) {
  const sum = (count: (row: Row) => number) => rows.reduce((total, row) => total + count(row), 0)
  return {
    inputTokens: sum((row) => row.inputTokens),
    outputTokens: sum((row) => row.outputTokens),
    cacheReadInputTokens: sum((row) => row.cacheReadTokens),
    cacheCreationInputTokens: sum((row) => row.cacheWrite5mTokens + row.cacheWrite1hTokens),
  }
}

describe('Claude Code', () => {
  let stack: AsyncDisposableStack
  let gateway: TestGateway
  let witness: Witness

  /** A gateway with one backend, and a witness before it. */
  const startBefore = async (url: string, settings: object = {}) => {
    const backends = [{ name: 'claude', url, api_key: 'sim-upstream' }]
    gateway = await startGateway({ backends, ...settings })
    stack.defer(() => gateway.stop())
    witness = await startWitness(gateway.url)
    stack.defer(() => witness.stop())
  }
  const startBeforeSimulatedClaude = async (settings: object = {}) => {
    const claude = await startSimulatedClaude({ pace: 0 })
    stack.defer(() => claude.stop())
    await startBefore(claude.url, settings)
  }
  const startBeforeFake = async () => {
    const upstream = await startUpstream()
    stack.defer(() => upstream.stop())
    await startBefore(upstream.url)
    return upstream
  }
  /** `claude -p` with a home of its own. */
  const run = async (prompt: string, options: { url?: string; key?: string; flags?: string[] } = {}) => {
    const home = temporaryFolder()
    stack.defer(() => home.remove())
    const child = spawn(CLAUDE_BINARY, ['-p', prompt, '--output-format', 'json', ...(options.flags ?? [])], {
      cwd: home.path,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LONGEST_RUN_MS,
      killSignal: 'SIGKILL',
      env: {
        PATH: process.env.PATH,
        HOME: home.path,
        ANTHROPIC_BASE_URL: options.url ?? witness.url,
        ANTHROPIC_AUTH_TOKEN: options.key ?? gateway.key,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
        DISABLE_AUTOUPDATER: '1',
        IS_SANDBOX: '1',
      },
    })
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    if (!stdout.startsWith('{')) throw new Error(`claude ended with ${code}: ${stdout}${stderr}`)
    const printed: Printed = Printed.parse(JSON.parse(stdout))
    return { code, ...printed }
  }

  const posted = () => witness.asked.filter((asked) => asked.startsWith('POST'))

  beforeEach(() => {
    stack = new AsyncDisposableStack()
  })
  afterEach(() => stack.disposeAsync())

  test('It answers, and counts and prices the call as the gateway does.', async () => {
    await startBeforeSimulatedClaude()
    const { code, is_error, result, modelUsage } = await run('hello')
    expect({ code, is_error }).toEqual({ code: 0, is_error: false })
    expect(result).toContain('You said: “hello”')
    const rows = await gateway.rows(1)
    expect(rows).toMatchObject([{ outcome: 'ok', stream: true, estimated: false, unpriced: false }])
    const [row] = rows
    expect(modelUsage).toEqual({
      [row?.requestedModel ?? '']: {
        ...usageOf(rows),
        costUSD: expect.closeTo((row?.costMicros ?? 0) / 1e6, 6),
      },
    })
  })

  test.for([['--allowedTools', 'Bash'], ['--dangerously-skip-permissions']])(
    'It runs a tool and sends back what the tool said (%s).',
    async (flags) => {
      await startBeforeSimulatedClaude()
      const { code, result, num_turns, modelUsage } = await run('use the Bash tool', { flags })
      expect({ code, num_turns }).toEqual({ code: 0, num_turns: 2 })
      expect(result).toContain('The tool said: “hello from the simulated Claude”')
      const rows = await gateway.rows(2)
      expect(rows.map(({ outcome }) => outcome)).toEqual(['ok', 'ok'])
      expect(Object.values(modelUsage)).toMatchObject([usageOf(rows)])
    },
  )

  test.for([
    ['lets pass what', `node -e 'fs.writeFileSync("made","")'`, []],
    ['refuses what', 'rm -rf made', [{ tool_name: 'Bash' }]],
  ] as const)('In auto mode it %s Claude judges so (%s).', async ([, command, denied]) => {
    await startBeforeSimulatedClaude()
    const log = temporaryFolder()
    stack.defer(() => log.remove())
    const file = join(log.path, 'debug.txt')
    const flags = ['--permission-mode', 'auto', '--debug-file', file]
    const { code, permission_denials } = await run(`run \`${command}\``, { flags })
    expect({ code, permission_denials }).toMatchObject({ code: 0, permission_denials: denied })
    expect(permission_denials).toHaveLength(denied.length)
    // That is how it says that the gateway dropped what was judged, or refused to ask for it.
    expect(readFileSync(file, 'utf8')).not.toContain('[server-classifier]')
  })

  test('With a wrong key it ends at once, with our message and after one request.', async () => {
    await startBeforeSimulatedClaude()
    const start = performance.now()
    const { code, is_error, api_error_status, result } = await run('hello', { key: 'sk-not-one-of-ours' })
    expect({ code, is_error, api_error_status }).toEqual({ code: 1, is_error: true, api_error_status: 401 })
    expect(result).toContain('This API key is unknown. Check it, or make a new one.')
    expect(performance.now() - start).toBeLessThan(20_000)
    expect(posted()).toEqual([MESSAGES])
    expect(await gateway.rows(0)).toEqual([])
  })

  test('It asks an overloaded upstream again, and gets its answer.', async () => {
    const upstream = await startBeforeFake()
    const headers = { 'content-type': 'application/json' }
    upstream.answerNext({ status: 529, headers, chunks: [errorJson('overloaded_error')] })
    const { code, result } = await run('hello')
    expect({ code, result }).toEqual({ code: 0, result: 'Hello there' })
    expect((await gateway.rows(2)).map(({ statusCode }) => statusCode)).toEqual([529, 200])
  })

  test('It shows what the upstream found wrong, after as many requests as without the gateway.', async () => {
    const upstream = await startBeforeFake()
    const headers = { 'content-type': 'application/json' }
    upstream.answer({ status: 400, headers, chunks: [errorJson('invalid_request_error')] })
    // It leaves out one beta after the other before it believes a 400.
    const direct = await run('hello', { url: upstream.url })
    const asked = upstream.requests.length
    const through = await run('hello')
    expect(through).toMatchObject({ code: 1, api_error_status: 400, result: direct.result })
    expect(through.result).toContain('as the test wants it')
    expect(posted()).toHaveLength(asked)
  })

  test('Without a right to the model it ends at once, with our message.', async () => {
    await startBeforeSimulatedClaude({ models: { default_access: 'approval' } })
    const start = performance.now()
    const { code, api_error_status, result } = await run('hello')
    expect({ code, api_error_status }).toEqual({ code: 1, api_error_status: 400 })
    expect(result).toContain('needs approval. Apply for it')
    expect(performance.now() - start).toBeLessThan(20_000)
    // It takes a 400 for a beta too many and asks some more times, as it does without a gateway.
    expect(await gateway.rows(0)).toEqual([])
  })

  test('When the budget is spent it ends at once, with our message and after one request.', async () => {
    await startBeforeSimulatedClaude()
    const { secret } = await gateway.newKey({ budgetMicros: 1 })
    // Anything that is left lets one call pass, which takes all of it.
    expect((await run('hello', { key: secret })).code).toBe(0)
    const before = posted().length
    const start = performance.now()
    const { code, api_error_status, result } = await run('hello', { key: secret })
    expect({ code, api_error_status }).toEqual({ code: 1, api_error_status: 429 })
    expect(result).toContain('Your monthly budget is used up')
    expect(performance.now() - start).toBeLessThan(20_000)
    expect(posted().slice(before)).toEqual([MESSAGES])
  })
})
