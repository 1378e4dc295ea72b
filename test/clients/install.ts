/** The real clients, installed on first use: they are too big for package.json. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'

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
const PYTHON_PINNED = [
  'anthropic==2.14.0',
  'claude-agent-sdk==0.2.189',
  'langchain-anthropic==1.7.10',
  'langchain-openai==1.7.4',
  'litellm==1.110.2',
  'openai==3.57.0',
  'pydantic-ai-slim[anthropic,openai]==2.68.0',
]

export const TOOLS_FOLDER = join(import.meta.dirname, '../../.tools')
const FOLDER = join(TOOLS_FOLDER, 'clients')
export const AGENT_FOLDER = join(TOOLS_FOLDER, 'clients-agent')
const PYTHON_FOLDER = join(TOOLS_FOLDER, 'clients-python')
export const PYTHON = join(PYTHON_FOLDER, 'bin/python')
const MODULES = join(FOLDER, 'node_modules')
/** Programs stand here while they run, so that they find what is installed. */
export const PROGRAMS_FOLDER = join(FOLDER, 'programs')
export const SDK_MODULE = join(MODULES, SDK.name, 'index.mjs')
export const CLAUDE_BINARY = join(MODULES, '.bin/claude')
export const CODEX_BINARY = join(MODULES, '.bin/codex')

/** npm and what it runs must find this Node first: an older one would choose other versions. */
const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)
const INSTALL_TIMEOUT_MS = 300_000
const VERSION_TIMEOUT_MS = 30_000

/** Vitest's global setup. Throws when Claude Code does not run here in the version that is pinned. */
export default async function installClients(): Promise<void> {
  await Promise.all([
    npmInstall(FOLDER, PINNED),
    // Without the Claude Code that it brings along, which is there already.
    npmInstall(AGENT_FOLDER, AGENT_SDK, ['--omit=optional']),
    pipInstall(PYTHON_FOLDER, PYTHON_PINNED, ['--no-binary', 'claude-agent-sdk']),
  ])
  const { stdout } = await run(CLAUDE_BINARY, ['--version'], { timeout: VERSION_TIMEOUT_MS })
  if (!stdout.startsWith(CLAUDE_CODE.version)) throw new Error(`claude --version said ${stdout.trim()}`)
}

interface Pinned {
  name: string
  version: string
}

export async function npmInstall(folder: string, pinned: readonly Pinned[], more: readonly string[] = []) {
  const isInstalled = ({ name, version }: Pinned) => {
    const manifest = join(folder, 'node_modules', name, 'package.json')
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === version
  }
  if (pinned.every(isInstalled)) return
  const packages = pinned.map(({ name, version }) => `${name}@${version}`)
  const options = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder, ...more]
  await run('npm', ['install', ...options, ...packages], {
    env: { ...process.env, PATH },
    timeout: INSTALL_TIMEOUT_MS,
  })
}

/** A virtual environment with these packages, made again if it has others. */
export async function pipInstall(folder: string, pinned: readonly string[], more: readonly string[] = []) {
  const list = join(folder, 'installed.txt')
  const wanted = pinned.join('\n')
  if (existsSync(list) && readFileSync(list, 'utf8') === wanted) return
  const options = { timeout: INSTALL_TIMEOUT_MS }
  await run('python3', ['-m', 'venv', '--clear', folder], options)
  // Most files are never imported, so compiling all of them would cost more than it saves.
  const flags = ['--quiet', '--disable-pip-version-check', '--no-compile', ...more]
  await run(join(folder, 'bin/pip'), ['install', ...flags, ...pinned], options)
  writeFileSync(list, wanted)
}
