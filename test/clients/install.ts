/** The real clients. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { npmInstall, pipInstall, TOOLS_FOLDER } from '../support/install.ts'

const run = promisify(execFile)

const SDK = { name: '@anthropic-ai/sdk', version: '1.14.0' }
const CLAUDE_CODE = { name: '@anthropic-ai/claude-code', version: '2.1.332' }
const CODEX = { name: '@openai/codex', version: '0.169.0' }
const PINNED = [
  SDK,
  CLAUDE_CODE,
  CODEX,
  { name: 'openai', version: '7.57.0' },
  { name: 'ai', version: '7.0.173' },
  { name: '@ai-sdk/openai', version: '4.0.118' },
  { name: '@ai-sdk/anthropic', version: '4.0.105' },
  { name: '@langchain/core', version: '1.4.0' },
  { name: '@langchain/openai', version: '1.6.0' },
  { name: '@langchain/anthropic', version: '1.5.11' },
  { name: 'zod', version: '4.6.7' },
]

const AGENT_SDK = [
  { name: '@anthropic-ai/claude-agent-sdk', version: '0.3.332' },
  { name: 'zod', version: '4.6.7' },
]
const CLOUD_PINNED = [
  { name: '@anthropic-ai/aws-sdk', version: '1.1.2' },
  { name: '@anthropic-ai/bedrock-sdk', version: '1.1.3' },
  { name: '@anthropic-ai/foundry-sdk', version: '1.1.1' },
  { name: '@anthropic-ai/vertex-sdk', version: '1.1.3' },
]
const PYTHON_PINNED = [
  'anthropic==2.14.0',
  'claude-agent-sdk==0.2.189',
  'langchain-anthropic==1.7.10',
  'langchain-openai==1.7.4',
  'litellm==1.110.2',
  'openai==3.57.0',
  'pydantic-ai-slim[anthropic,openai]==2.68.0',
]

const FOLDER = join(TOOLS_FOLDER, 'clients')
export const AGENT_FOLDER = join(TOOLS_FOLDER, 'clients-agent')
const CLOUD_FOLDER = join(TOOLS_FOLDER, 'clients-clouds')
const PYTHON_FOLDER = join(TOOLS_FOLDER, 'clients-python')
export const PYTHON = join(PYTHON_FOLDER, 'bin/python')
const MODULES = join(FOLDER, 'node_modules')
/** Programs stand here while they run, so that they find what is installed. */
export const PROGRAMS_FOLDER = join(FOLDER, 'programs')
export const SDK_MODULE = join(MODULES, SDK.name, 'index.mjs')
export const CLAUDE_BINARY = join(MODULES, '.bin/claude')
export const CODEX_BINARY = join(MODULES, '.bin/codex')

const VERSION_TIMEOUT_MS = 30_000

/** Vitest's global setup. Throws when Claude Code does not run here in the version that is pinned. */
export default async function installClients(): Promise<void> {
  await Promise.all([
    npmInstall(FOLDER, PINNED),
    // Without the Claude Code that it brings along, which is there already.
    npmInstall(AGENT_FOLDER, AGENT_SDK, ['--omit=optional']),
    npmInstall(CLOUD_FOLDER, CLOUD_PINNED),
    pipInstall(PYTHON_FOLDER, PYTHON_PINNED, ['--no-binary', 'claude-agent-sdk']),
  ])
  const { stdout } = await run(CLAUDE_BINARY, ['--version'], { timeout: VERSION_TIMEOUT_MS })
  if (!stdout.startsWith(CLAUDE_CODE.version)) throw new Error(`claude --version said ${stdout.trim()}`)
}

/** What a package of Anthropic's clients for the clouds exports, such as bedrock-sdk. */
export const cloudClients = (name: string): Promise<unknown> =>
  import(join(CLOUD_FOLDER, 'node_modules/@anthropic-ai', name, 'index.mjs'))
