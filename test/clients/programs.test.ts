/** Programs in Python, and agents: each shows a plain and a streamed answer, a turn with a tool, and an error. */
import { execFile } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, test } from 'vitest'
import * as z from 'zod'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { knownKey } from '../support/runtime.ts'
import { temporaryFolder } from '../support/stores.ts'
import { AGENT_FOLDER, CLAUDE_BINARY, PYTHON } from './install.ts'

const run = promisify(execFile)
const MODEL = 'claude-opus-5-5'
const PROGRAMS = join(import.meta.dirname, 'programs')

/** What each program prints. `tokens`: of all its answers, as it counted them. */
const Printed = z.object({
  plain: z.string(),
  streamed: z.string(),
  asked: z.array(z.object({ city: z.string() })),
  after: z.string(),
  tokens: z.number(),
  error: z.object({ kind: z.string(), status: z.number().nullable(), message: z.string() }),
})

describe('a program', () => {
  const home = temporaryFolder()
  let claude: SimulatedClaude
  let gateway: TestGateway
  beforeAll(async () => {
    claude = await startSimulatedClaude({ pace: 0 })
    gateway = await startGateway({ backends: [{ name: 'claude', url: claude.url, api_key: 'sim-upstream' }] })
    // Where the package is that it imports.
    copyFileSync(join(PROGRAMS, 'agent-sdk.mjs'), join(AGENT_FOLDER, 'agent-sdk.mjs'))
  })
  afterAll(async () => {
    await gateway?.stop()
    await claude?.stop()
    home.remove()
  })

  const printed = async (command: string, args: readonly string[], key: string) => {
    const env = {
      PATH: process.env.PATH,
      HOME: home.path,
      BASE_URL: gateway.url,
      API_KEY: key,
      MODEL,
      // LiteLLM would ask for prices elsewhere.
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
      CLAUDE: CLAUDE_BINARY,
      ANTHROPIC_BASE_URL: gateway.url,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      ENABLE_TOOL_SEARCH: 'false',
      IS_SANDBOX: '1',
    }
    const { stdout } = await run(command, args, { cwd: home.path, env, timeout: 100_000 })
    return Printed.parse(JSON.parse(stdout.slice(stdout.indexOf('{'))))
  }

  /** Calls: plain, streamed, and two with the tool; the agents' plain answer is the streamed one. */
  test.concurrent.for([
    { name: 'anthropic', file: 'anthropic_sdk.py', how: '', calls: 4, refused: 'AuthenticationError' },
    { name: 'openai', file: 'openai_sdk.py', how: 'chat', calls: 4, refused: 'AuthenticationError' },
    { name: 'openai', file: 'openai_sdk.py', how: 'responses', calls: 4, refused: 'AuthenticationError' },
    {
      name: 'LangChain',
      file: 'langchain_chat.py',
      how: 'anthropic',
      calls: 4,
      refused: 'AnthropicAuthenticationError',
    },
    {
      name: 'LangChain',
      file: 'langchain_chat.py',
      how: 'openai',
      calls: 4,
      refused: 'OpenAIAuthenticationError',
    },
    {
      name: 'LangChain',
      file: 'langchain_chat.py',
      how: 'responses',
      calls: 4,
      refused: 'OpenAIAuthenticationError',
    },
    {
      name: 'Pydantic AI',
      file: 'pydantic_agent.py',
      how: 'anthropic',
      calls: 4,
      refused: 'ModelAuthenticationError',
    },
    {
      name: 'Pydantic AI',
      file: 'pydantic_agent.py',
      how: 'openai',
      calls: 4,
      refused: 'ModelAuthenticationError',
    },
    {
      name: 'LiteLLM',
      file: 'litellm_client.py',
      how: 'anthropic',
      calls: 4,
      refused: 'AuthenticationError',
    },
    { name: 'LiteLLM', file: 'litellm_client.py', how: 'openai', calls: 4, refused: 'AuthenticationError' },
    { name: 'Claude Agent SDK', file: 'agent_sdk.py', how: '', calls: 3, refused: 'success' },
    { name: 'Claude Agent SDK', file: 'agent-sdk.mjs', how: '', calls: 3, refused: 'success' },
  ])('with $name ($file $how) is answered, and metered to the token', async (program, { expect }) => {
    const { file, how, calls, refused } = program
    const { secret, keyId } = await knownKey(gateway, { atOnce: 1 }, {})
    const command = file.endsWith('.py')
      ? [PYTHON, join(PROGRAMS, 'python', file)]
      : [process.execPath, join(AGENT_FOLDER, file)]
    const [binary = '', ...args] = [...command, ...(how === '' ? [] : [how])]
    const { plain, streamed, asked, after, tokens, error } = await printed(binary, args, secret)
    expect(plain).toContain('You said: “Hello there”')
    expect(streamed).toBe(plain)
    expect(asked).toEqual([{ city: 'Paris' }])
    expect(after).toContain('The tool said: “sunny')
    expect(error).toMatchObject({ kind: refused, status: 401 })
    expect(error.message).toContain('This API key is unknown. Check it, or make a new one.')
    const rowsOfKey = async () => (await gateway.rows(0)).filter(({ apiKeyId }) => apiKeyId === keyId)
    await expect.poll(async () => (await rowsOfKey()).length).toBe(calls)
    const rows = await rowsOfKey()
    expect(rows.map(({ outcome, model, estimated }) => ({ outcome, model, estimated }))).toEqual(
      Array.from({ length: calls }, () => ({ outcome: 'ok', model: MODEL, estimated: false })),
    )
    expect(rows.reduce((sum, { outputTokens }) => sum + outputTokens, 0)).toBe(tokens)
  })
})
