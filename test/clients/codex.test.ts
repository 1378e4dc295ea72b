/** The real Codex, run as a person runs it, against the real gateway. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { knownKey } from '../support/runtime.ts'
import { temporaryFolder } from '../support/stores.ts'
import { CODEX_BINARY } from './install.ts'
import { startWitness, type Witness } from './witness.ts'

const LONGEST_RUN_MS = 60_000
/** A model that Codex does not know, one that it gives its patches to, and one whose tools come as an item. */
const CLAUDE = 'claude-opus-5-5'
const PATCHING = 'gpt-5.5'
const SCRIPTING = 'gpt-6.1-sol'
const UNGUARDED = '--dangerously-bypass-approvals-and-sandbox'
/** A tool server that Codex starts. */
const TOOL_SERVER = [
  ['command', JSON.stringify(process.execPath)],
  ['args', JSON.stringify([join(import.meta.dirname, 'programs/mcp-server.mjs')])],
].flatMap(([key, value]) => ['-c', `mcp_servers.greeter.${key}=${value}`])
/** Every conversation is longer. */
const COMPACTS_AT_ONCE = ['-c', 'model_auto_compact_token_limit=1000']

/** The events of `codex exec --json`, as far as they are read here. */
const Event = z.looseObject({
  type: z.string(),
  item: z.looseObject({ type: z.string(), text: z.string().optional() }).optional(),
  usage: z
    .looseObject({
      input_tokens: z.number(),
      cached_input_tokens: z.number(),
      cache_write_input_tokens: z.number(),
      output_tokens: z.number(),
    })
    .optional(),
})

describe('Codex', () => {
  const stack = new AsyncDisposableStack()
  let claude: SimulatedClaude
  let gateway: TestGateway
  let witness: Witness
  /** Where Codex keeps its sessions, and where it works. */
  let home: string
  let project: string
  /** A key of its own tells each test's rows from others, which may come late. */
  let key: Awaited<ReturnType<TestGateway['newKey']>>

  beforeAll(async () => {
    claude = await startSimulatedClaude({ pace: 0 })
    stack.defer(() => claude.stop())
    gateway = await startGateway({
      backends: [{ name: 'claude', url: claude.url, api_key: 'sim-upstream' }],
      model_replacements: { 'gpt-*': CLAUDE },
    })
    stack.defer(() => gateway.stop())
    witness = await startWitness(gateway.url)
    stack.defer(() => witness.stop())
  })
  afterAll(() => stack.disposeAsync())
  beforeEach(async () => {
    const folders = [temporaryFolder(), temporaryFolder()] as const
    for (const folder of folders) stack.defer(() => folder.remove())
    home = folders[0].path
    project = folders[1].path
    const provider = `name = "Gateway"\nbase_url = "${witness.url}/v1"\nenv_key = "GATEWAY_KEY"\nwire_api = "responses"\n`
    writeFileSync(
      join(home, 'config.toml'),
      `model = "${CLAUDE}"\nmodel_provider = "gateway"\n[model_providers.gateway]\n${provider}`,
    )
    witness.asked.length = 0
    key = await knownKey(gateway, { atOnce: 1 }, {})
  })

  /** `codex exec`; what it said last, what it did, and what it says that it used. */
  const exec = async (given: string[], secret = key.secret) => {
    const child = spawn(CODEX_BINARY, ['exec', ...given, '--json', '--skip-git-repo-check'], {
      cwd: project,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LONGEST_RUN_MS,
      killSignal: 'SIGKILL',
      env: { PATH: process.env.PATH, HOME: home, CODEX_HOME: home, GATEWAY_KEY: secret },
    })
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    const events = stdout
      .split('\n')
      .flatMap((line) => (line.startsWith('{') ? [Event.parse(JSON.parse(line))] : []))
    const items = events.flatMap(({ type, item }) => (type === 'item.completed' && item ? [item] : []))
    const said = items.findLast(({ type }) => type === 'agent_message')?.text ?? ''
    return { code, said, items, usage: events.findLast(({ usage }) => usage)?.usage, output: stdout + stderr }
  }
  /** The rows of this test, at least `count`, and their sum as Codex counts. */
  const metered = async (count: number) => {
    const ours = async () => (await gateway.rows(0)).filter(({ apiKeyId }) => apiKeyId === key.keyId)
    await expect.poll(async () => (await ours()).length).toBeGreaterThanOrEqual(count)
    const rows = await ours()
    const sum = (read: (row: (typeof rows)[number]) => number) =>
      rows.reduce((all, row) => all + read(row), 0)
    const cacheWrite = sum((row) => row.cacheWrite5mTokens + row.cacheWrite1hTokens)
    const usage = {
      input_tokens: sum((row) => row.inputTokens + row.cacheReadTokens) + cacheWrite,
      cached_input_tokens: sum((row) => row.cacheReadTokens),
      cache_write_input_tokens: cacheWrite,
      output_tokens: sum((row) => row.outputTokens),
    }
    return { rows, usage }
  }

  test('It answers with its default settings, and counts the call as the gateway does.', async () => {
    const { code, said, usage } = await exec(['hello'])
    expect([code, said]).toEqual([0, expect.stringContaining('You said: “hello”')])
    const { rows, usage: ours } = await metered(1)
    expect(rows).toMatchObject([{ outcome: 'ok', requestedModel: CLAUDE, stream: true, estimated: false }])
    expect(usage).toMatchObject(ours)
    expect(witness.asked).toEqual(['POST /v1/responses'])
  })

  test('It runs a command.', async () => {
    const { said, usage } = await exec([UNGUARDED, 'use the exec_command tool'])
    expect(said).toContain('Output: hello from the simulated Claude')
    expect(usage).toMatchObject((await metered(2)).usage)
  })

  test('It edits a file by a patch.', async () => {
    const { said, items, usage } = await exec(['-m', PATCHING, UNGUARDED, 'use the apply_patch tool'])
    expect(said).toContain('Success. Updated the following files: A simulated.txt')
    expect(items.map(({ type }) => type)).toContain('file_change')
    expect(readFileSync(join(project, 'simulated.txt'), 'utf8')).toBe('hello from the simulated Claude\n')
    const { rows, usage: ours } = await metered(2)
    expect(rows).toMatchObject([{ requestedModel: PATCHING, model: CLAUDE }, { outcome: 'ok' }])
    expect(usage).toMatchObject(ours)
  })

  test('It runs a script where its tools come as an item.', async () => {
    const { said } = await exec(['-m', SCRIPTING, UNGUARDED, 'use the exec tool'])
    expect(said).toMatch(/Script completed .* hello from the simulated Claude/s)
  })

  test('It calls a tool of a tool server, which is in a namespace.', async () => {
    const { said } = await exec([...TOOL_SERVER, UNGUARDED, 'use the mcp__greeter__greet_person tool'])
    expect(said).toContain('Greetings from the tool server.')
  })

  test('It searches for a tool, and calls what it found.', async () => {
    const searching = [...TOOL_SERVER, '-m', PATCHING, UNGUARDED]
    const searched = await exec([...searching, 'use the tool_search tool for greet_person'])
    expect(searched.said).toContain('Loaded: mcp__greeter__greet_person')
    const called = await exec(['resume', '--last', ...searching, 'use the mcp__greeter__greet_person tool'])
    expect(called.said).toContain('Greetings from the tool server.')
  })

  test('It resumes a conversation with everything that was in it, also with another model.', async () => {
    await exec(['-m', PATCHING, UNGUARDED, 'use the apply_patch tool'])
    const { code, said } = await exec(['resume', '--last', 'and more'])
    expect([code, said]).toEqual([0, expect.stringContaining('You said: “and more”')])
    const { rows } = await metered(3)
    expect(rows.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok'])
    expect((rows[2]?.cacheReadTokens ?? 0) + (rows[2]?.cacheWrite5mTokens ?? 0)).toBeGreaterThan(1000)
  })

  test('It compacts a conversation by a call of its own, and goes on.', async () => {
    await exec(['-m', PATCHING, 'hello'])
    const { code, said } = await exec(['resume', '--last', '-m', PATCHING, ...COMPACTS_AT_ONCE, 'and more'])
    // The simulated Claude quotes what it was asked: with what Codex says before a summary.
    expect([code, said]).toEqual([0, expect.stringContaining('produced a summary of its thinking process')])
    // It may begin to compact once more, and leave before that is done.
    const { rows } = await metered(3)
    expect(rows.slice(0, 3).map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok'])
  })

  test('With a wrong key it ends with our message.', async () => {
    const { code, output } = await exec(['hello'], 'sk-not-one-of-ours')
    expect(code).toBe(1)
    expect(output).toContain('This API key is unknown. Check it, or make a new one.')
  })
})
