/** Programs written for OpenAI's interface, or for either by a framework, each in a process of its own. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { PROGRAMS_FOLDER } from './install.ts'

const run = promisify(execFile)
const MODEL = 'claude-opus-5-5'

describe('a program', () => {
  let claude: SimulatedClaude
  let gateway: TestGateway
  beforeAll(async () => {
    claude = await startSimulatedClaude({ pace: 1 })
    gateway = await startGateway({ backends: [{ name: 'claude', url: claude.url, api_key: 'sim-upstream' }] })
    mkdirSync(PROGRAMS_FOLDER, { recursive: true })
    for (const name of ['openai', 'ai-sdk', 'langchain']) {
      // Where the packages are that it imports.
      const file = `${name}.mjs`
      copyFileSync(join(import.meta.dirname, 'programs', file), join(PROGRAMS_FOLDER, file))
    }
  })
  afterAll(async () => {
    await gateway.stop()
    await claude.stop()
  })
  const program = async (name: string, ...args: string[]) => {
    const env = { PATH: process.env.PATH, BASE_URL: gateway.url, API_KEY: gateway.key, MODEL }
    const options = { cwd: PROGRAMS_FOLDER, env, timeout: 60_000 }
    const { stdout } = await run(process.execPath, [`${name}.mjs`, ...args], options)
    return JSON.parse(stdout)
  }

  describe("with OpenAI's SDK", () => {
    const openai = (what: string) => program('openai', what)

    test('chats, and finds its request and figures', async () => {
      const { id, choice, usage } = await openai('chat')
      expect(choice).toMatchObject({
        finish_reason: 'stop',
        message: { content: expect.stringMatching(/^Hello!/) },
      })
      expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens)
      const row = (await gateway.rows(1)).find(({ requestId }) => requestId === id)
      expect(row).toMatchObject({ outcome: 'ok', model: MODEL, outputTokens: usage.completion_tokens })
    })
    test('streams', async () => {
      const { text, usage, chunks } = await openai('chatStream')
      expect(text).toMatch(/^Hello!.*Hello there/s)
      expect(usage.completion_tokens).toBeGreaterThan(10)
      expect(chunks).toBeGreaterThan(10)
    })
    test('gets objects of a zod schema', async () => {
      const { parsed } = await openai('chatParse')
      expect(parsed).toEqual({ name: expect.any(String), age: expect.any(Number), tags: expect.any(Array) })
      expect((await openai('responsesParse')).parsed).toEqual({
        name: expect.any(String),
        age: expect.any(Number),
        tags: expect.any(Array),
      })
    })
    test('runs tools', async () => {
      const { asked, text, roles } = await openai('tools')
      expect(asked).toEqual([{ city: expect.any(String) }])
      expect(text).toContain('sunny, 21 degrees')
      expect(roles).toEqual(['user', 'assistant', 'tool', 'assistant'])
      expect(await openai('toolsStream')).toEqual({
        name: 'get_weather',
        args: { city: expect.any(String) },
        finish: 'tool_calls',
      })
    })
    test('shows pictures', async () => {
      expect((await openai('vision')).text).toContain('What is this?')
    })
    test('meets errors of the kinds it knows', async () => {
      expect(await openai('errors')).toEqual({
        key: expect.objectContaining({
          kind: 'AuthenticationError',
          status: 401,
          code: 'invalid_api_key',
          hasId: true,
        }),
        model: expect.objectContaining({ kind: 'NotFoundError', status: 404, code: 'model_not_found' }),
        value: expect.objectContaining({
          kind: 'BadRequestError',
          status: 400,
          code: 'unsupported_value',
          param: 'n',
        }),
      })
    })
    test('gives a stream up, which is recorded as such', async () => {
      expect(await openai('abort')).toEqual({ chunks: 3 })
      const aborted = async () =>
        (await gateway.rows(0)).filter(({ outcome }) => outcome === 'client_aborted').length
      await expect.poll(aborted).toBe(1)
    })
    test('uses the responses interface, whole, streamed and with tools', async () => {
      expect(await openai('responses')).toMatchObject({
        text: expect.stringMatching(/^Hello!/),
        status: 'completed',
      })
      const streamed = await openai('responsesStream')
      expect(streamed.text).toMatch(/^Hello!/)
      expect(streamed.text).toBe(streamed.final)
      expect(await openai('responsesTools')).toEqual({
        name: 'get_weather',
        args: { city: expect.any(String) },
        text: expect.stringContaining('sunny'),
      })
    })
    test('lists models', async () => {
      expect((await openai('models')).ids).toContain(MODEL)
    })
  })

  test.each([
    ['ai-sdk', 'chat', 'whole'],
    ['ai-sdk', 'chat', 'stream'],
    ['ai-sdk', 'responses', 'whole'],
    ['ai-sdk', 'responses', 'stream'],
    ['ai-sdk', 'anthropic', 'whole'],
    ['ai-sdk', 'anthropic', 'stream'],
    ['langchain', 'openai', 'whole'],
    ['langchain', 'openai', 'stream'],
    ['langchain', 'anthropic', 'whole'],
    ['langchain', 'anthropic', 'stream'],
  ])('in %s (%s, %s) asks a tool and goes on with what it said', async (name, kind, way) => {
    const { asked, text, tokens } = await program(name, kind, way)
    expect(asked).toEqual([{ city: expect.any(String) }])
    expect(text).toContain('sunny')
    expect(tokens).toBeGreaterThan(20)
  })
})
