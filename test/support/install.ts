/** Programs of others that tests run, installed on first use: they are too big for package.json. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const TOOLS_FOLDER = join(import.meta.dirname, '../../.tools')
/** It installs within seconds what takes pip a minute of a processor. */
const UV = 'uv==0.13.9'
/** npm and what it runs must find this Node first: an older one would choose other versions. */
const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)
const OPTIONS = { timeout: 300_000, env: { ...process.env, PATH } }

export interface Pinned {
  name: string
  version: string
}

/** `more`: options of npm. */
export function npmInstall(folder: string, pinned: readonly Pinned[], more: readonly string[] = []) {
  return oneAtATime(folder, () => installWithNpm(folder, pinned, more))
}

/** A virtual environment with these packages, made again if it has others. `more`: options of pip. */
export function pipInstall(folder: string, pinned: readonly string[], more: readonly string[] = []) {
  return oneAtATime(folder, () => installWithPip(folder, pinned, more))
}

/** Files of tests run side by side, and several need the same programs. */
async function oneAtATime(folder: string, install: () => Promise<void>): Promise<void> {
  const lock = `${folder}.lock`
  mkdirSync(dirname(folder), { recursive: true })
  while (!isTaken(lock)) await sleep(200)
  try {
    await install()
  } finally {
    rmSync(lock, { force: true })
  }
}

/** Whether the lock is ours now. One of a process that is gone is removed. */
function isTaken(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST') throw cause
  }
  try {
    process.kill(Number(readFileSync(lock, 'utf8')), 0)
  } catch (cause) {
    if (codeOf(cause) === 'ESRCH') rmSync(lock, { force: true })
  }
  return false
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && 'code' in cause ? cause.code : undefined
}

async function installWithNpm(folder: string, pinned: readonly Pinned[], more: readonly string[]) {
  const isInstalled = ({ name, version }: Pinned) => {
    const manifest = join(folder, 'node_modules', name, 'package.json')
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === version
  }
  if (pinned.every(isInstalled)) return
  const packages = pinned.map(({ name, version }) => `${name}@${version}`)
  const options = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder, ...more]
  await run('npm', ['install', ...options, ...packages], OPTIONS)
}

async function installWithPip(folder: string, pinned: readonly string[], more: readonly string[]) {
  const list = join(folder, 'installed.txt')
  const wanted = pinned.join('\n')
  if (existsSync(list) && readFileSync(list, 'utf8') === wanted) return
  await run('python3', ['-m', 'venv', '--clear', folder], OPTIONS)
  const bin = (program: string) => join(folder, 'bin', program)
  await run(bin('pip'), ['install', '--quiet', '--disable-pip-version-check', '--no-compile', UV], OPTIONS)
  const python = ['--quiet', '--python', bin('python'), '--no-cache']
  await run(bin('uv'), ['pip', 'install', ...python, ...more, ...pinned], OPTIONS)
  writeFileSync(list, wanted)
}
