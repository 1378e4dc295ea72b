/** The real clients, installed on first use: they are too big for package.json. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const SDK = { name: '@anthropic-ai/sdk', version: '1.12.0' }
const CLAUDE_CODE = { name: '@anthropic-ai/claude-code', version: '2.1.330' }
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

const FOLDER = join(import.meta.dirname, '../../.tools/clients')
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
  if (!PINNED.every(isInstalled)) {
    const packages = PINNED.map(({ name, version }) => `${name}@${version}`)
    const options = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', FOLDER]
    await run('npm', ['install', ...options, ...packages], {
      env: { ...process.env, PATH },
      timeout: INSTALL_TIMEOUT_MS,
    })
  }
  const { stdout } = await run(CLAUDE_BINARY, ['--version'], { timeout: VERSION_TIMEOUT_MS })
  if (!stdout.startsWith(CLAUDE_CODE.version)) throw new Error(`claude --version said ${stdout.trim()}`)
}

function isInstalled({ name, version }: { name: string; version: string }): boolean {
  const manifest = join(MODULES, name, 'package.json')
  return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === version
}
