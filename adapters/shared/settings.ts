/** Finds the configuration of a Node process: CONFIG_PATH, else config/config.yaml, else ANTHROPIC_API_KEY alone. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { configFromApiKey, loadConfig } from '../../config/load.ts'
import type { Config } from '../../config/schema.ts'
import { randomText } from '../../core/ids.ts'
import { withBodyMemory } from './memory.ts'

/** EX_CONFIG of sysexits.h: a process manager should not restart the gateway after this exit code. */
export const EXIT_CONFIG = 78

const DEFAULT_FILE = 'config/config.yaml'
const HEX = '0123456789abcdef'

/** Thrown if there is no configuration. The message says what to do. */
export class NoConfig extends Error {}

export interface SettingsFile {
  /** Its path, for messages. */
  file: string
  text: string
  /** What the files that it names by `${file:/path}` held when it was put in force; absent before. */
  files?: Readonly<Record<string, string>> | undefined
}

/** Throws ConfigError or NoConfig. */
export function readSettings(): Config {
  const { env } = process
  const found = readSettingsFile(env)
  if (found) return settingsOf(found, env)
  if (!env.ANTHROPIC_API_KEY) {
    throw new NoConfig(
      `There is no ${DEFAULT_FILE}. Copy config/config.example.yaml there and fill it in, or name a file with ` +
        'CONFIG_PATH, or set ANTHROPIC_API_KEY to start with one backend and defaults.',
    )
  }
  const secret = keptSecret(join('data', 'session.secret'))
  return withBodyMemory(configFromApiKey(env.ANTHROPIC_API_KEY, secret, env))
}

/** The configuration file as it is now; undefined if none is named and there is none. Throws NoConfig. */
export function readSettingsFile(env: NodeJS.ProcessEnv = process.env): SettingsFile | undefined {
  // Containers often set a variable that nobody filled in.
  const file = env.CONFIG_PATH || DEFAULT_FILE
  if (!env.CONFIG_PATH && !existsSync(file)) return undefined
  return { file, text: readText(file) }
}

/** Throws ConfigError. */
export function settingsOf(found: SettingsFile, env: NodeJS.ProcessEnv = process.env): Config {
  return inForceOf(found, env).config
}

/**
 * The settings, and the file with what those that it names hold: whoever gets it later, as a worker that replaces another, has the
 * same settings, although a secret was changed or removed meanwhile. Throws ConfigError.
 */
export function inForceOf(
  { file, text, files: known = {} }: SettingsFile,
  env: NodeJS.ProcessEnv = process.env,
): { config: Config; file: SettingsFile } {
  const files = new Map(Object.entries(known))
  const readFile = (path: string) => {
    const content = files.get(path) ?? readFileSync(path, 'utf8')
    files.set(path, content)
    return content
  }
  const config = withBodyMemory(loadConfig({ text, file, env, readFile }))
  return { config, file: { file, text, files: Object.fromEntries(files) } }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : 'unreadable'
    throw new NoConfig(`${file}: cannot be read (${code}).`)
  }
}

/** A secret that is generated at the first start and stored with mode 0600, so that sessions outlive a restart. */
function keptSecret(file: string): string {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, randomText(64, HEX), { mode: 0o600 })
  }
  return readFileSync(file, 'utf8').trim()
}
