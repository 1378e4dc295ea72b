/** A gateway as an operator has it: a folder with a configuration and data, a process, the command line. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'drizzle-orm'
import { stringify } from 'yaml'
import * as z from 'zod'
import { openFile } from '../../adapters/drivers/storage/libsql.ts'
import { complete, type GatewaySettings } from './runtime.ts'
import { temporaryFolder } from './stores.ts'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)
const Failed = z.object({ code: z.number().nullable(), stdout: z.string(), stderr: z.string() })

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

export interface Installation {
  folder: string
  database: string
  configure(change: Partial<GatewaySettings>): void
  /** Starts the server and resolves when it listens; rejects with what it printed when it ends instead. */
  start(): Promise<void>
  /** Only signals it, also while it starts. */
  signal(name: 'SIGHUP' | 'SIGUSR2'): void
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>
  url(): string
  output(): string
  ready(): Promise<number>
  cli(...args: string[]): Promise<Ended>
  /** Runs shell commands in the folder; `restore FILE` is the command of that name. Rejects when one of them fails. */
  shell(script: string): Promise<Ended>
  remove(): Promise<void>
}

export function createInstallation(given: GatewaySettings): Installation {
  const { path: folder, remove } = temporaryFolder()
  const database = join(folder, 'data/gateway.db')
  const configPath = join(folder, 'config.yaml')
  let settings: GatewaySettings = {
    server: { port: 0, host: '127.0.0.1', drain_delay: 0, drain_timeout: '5s' },
    ...given,
    database: { path: database },
  }
  const configure: Installation['configure'] = (change) => {
    settings = { ...settings, ...change }
    writeFileSync(configPath, stringify(complete(settings)))
  }
  configure({})
  const env = { ...process.env, CONFIG_PATH: configPath }
  const command = async (file: string, args: string[], cwd: string): Promise<Ended> => {
    try {
      return { code: 0, ...(await run(file, args, { env, cwd })) }
    } catch (cause) {
      return Failed.parse(cause)
    }
  }

  let child: ChildProcess | undefined
  let url = ''
  let output = ''
  async function start() {
    output = ''
    url = ''
    const started = spawn(process.execPath, ['adapters/node/start.mjs'], { cwd: ROOT, env })
    child = started
    const listening = Promise.withResolvers<void>()
    const hear = (data: Buffer) => {
      output += data
      url ||= /"server\.listening","url":"([^"]+)"/.exec(output)?.[1] ?? ''
      if (url !== '') listening.resolve()
    }
    started.stdout.on('data', hear)
    started.stderr.on('data', hear)
    started.once('close', () => listening.reject(new Error(output)))
    await listening.promise
  }
  const end: Installation['end'] = async (signal) => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null
    const exited = once(child, 'exit')
    child.kill(signal)
    return (await exited)[0]
  }
  return {
    folder,
    database,
    configure,
    start,
    signal: (name) => void child?.kill(name),
    end,
    url: () => url,
    output: () => output,
    ready: async () => (await fetch(`${url}/readyz`)).status,
    cli: (...args) => command(process.execPath, ['adapters/cli/start.mjs', ...args], ROOT),
    shell: (script) => {
      const cli = `(cd '${ROOT}' && '${process.execPath}' adapters/cli/start.mjs restore "$file")`
      return command(
        'sh',
        ['-ec', `restore() { file=$(realpath -m "$1"); ${cli}; }\n${script}`],
        join(folder, 'data'),
      )
    },
    async remove() {
      await end('SIGKILL')
      remove()
    },
  }
}

export interface Numbers {
  calls: number
  /** Calls in the sums. */
  summed: number
  costMicros: number
  integrity: string
}

/** What a database file holds that no server has open. */
export async function numbersIn(file: string): Promise<Numbers> {
  if (!existsSync(file)) throw new Error(`there is no ${file}`)
  const { db, close } = await openFile(file)
  const numbers = await db.get<Numbers>(sql`select (select count(*) from usage_logs) as calls,
    (select coalesce(sum(requests), 0) from usage_sums where cut = 'total') as summed,
    (select coalesce(sum(cost_micros), 0) from usage_logs) as costMicros,
    (select integrity_check from pragma_integrity_check(1)) as integrity`)
  await close()
  if (!numbers) throw new Error('no numbers')
  return numbers
}
