/** Every command of the README, as it stands there, in a copy of the repository. Only ports and addresses are others. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { freePort } from '../support/ports.ts'

const ROOT = join(import.meta.dirname, '../..')
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const LONG = 120_000

/** The commands of its blocks, and those of npm in its text, without comments. */
const commands = [
  ...[...README.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block = '']) =>
    block.replaceAll('\\\n', '').split('\n'),
  ),
  ...[...README.matchAll(/`(npm [^`]+)`/g)].map(([, command = '']) => command),
]
  .map((line) => line.replace(/\s+#.*$/, '').trim())
  .filter((line) => line !== '')
const tried = new Set<string>()
/** The first command that begins so; it counts as tried. */
function command(beginning: string): string {
  const found = commands.find((one) => one.startsWith(beginning))
  if (!found) throw new Error(`the README has no command ${beginning}`)
  tried.add(found)
  return found
}

const DEMO = command('npm install && npm run demo')
const TESTS = command('npm install && npm test')
const COPY = command('cp config/')
const KEYS = command('export ANTHROPIC_API_KEY=…')
const START = command('npm start')
const CHECK = command('npm run check-config')
const ADOPT = command('npm run cli -- objects adopt')
const CLAUDE_CODE = command('ANTHROPIC_BASE_URL=')
const CURL = command('curl ')
const PYTHON = command('OPENAI_BASE_URL=')
// It begins two of them.
tried.add('npm install')

test('the README has no command that is not tried here', () => {
  expect(commands.filter((one) => !tried.has(one))).toEqual([])
})

test('the tests of every day are among the first suites that CI runs, and it installs what the lock file says', () => {
  expect(TESTS).toBe('npm install && npm test')
  expect(readFileSync(join(ROOT, '.ci/suites'), 'utf8')).toMatch(/^suites=\(test /m)
})

describe('in a copy of the repository', () => {
  let copy: string
  let claude: SimulatedClaude
  let port: number
  let running: ChildProcess | undefined
  beforeAll(async () => {
    mkdirSync(join(ROOT, '.tools'), { recursive: true })
    copy = mkdtempSync(join(ROOT, '.tools/readme-'))
    const left = ['node_modules', '.git', '.tools', 'dist', 'data', 'site/build', 'site/.svelte-kit']
    const filter = (path: string) => !left.includes(relative(ROOT, path))
    for (const name of readdirSync(ROOT).filter((one) => filter(join(ROOT, one)))) {
      cpSync(join(ROOT, name), join(copy, name), { recursive: true, filter })
    }
    // Hard links: npm replaces what it changes, and changes nothing here.
    execFileSync('cp', ['-al', join(ROOT, 'node_modules'), copy])
    claude = await startSimulatedClaude({ pace: 1 })
    port = await freePort()
    // Two programs that are not there: what real ones do with the same variables is shown by test/clients.
    const bin = join(copy, 'bin')
    mkdirSync(bin)
    const post = (url: string, key: string) =>
      `#!/bin/sh\nexec curl -sS "${url}" -H "authorization: Bearer ${key}" -H "content-type: application/json" -d '${ASK}'\n`
    writeFileSync(join(bin, 'claude'), post('$ANTHROPIC_BASE_URL/v1/messages', '$ANTHROPIC_AUTH_TOKEN'), {
      mode: 0o755,
    })
    writeFileSync(join(bin, 'python'), post('$OPENAI_BASE_URL/chat/completions', '$OPENAI_API_KEY'), {
      mode: 0o755,
    })
  }, LONG)
  afterEach(async () => {
    if (running?.pid === undefined) return
    const ended = once(running, 'close')
    // With all that the shell started; what it says is closed when the last of them has ended.
    process.kill(-running.pid, 'SIGTERM')
    running = undefined
    await ended
  })
  afterAll(async () => {
    await claude?.stop()
    rmSync(copy, { recursive: true, force: true })
  })

  const ASK = '{"model":"claude-haiku-5-5","max_tokens":50,"messages":[{"role":"user","content":"Hello!"}]}'
  const env = () => ({
    PATH: `${join(copy, 'bin')}:${process.env.PATH}`,
    HOME: copy,
    SESSION_SECRET: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a',
    ANTHROPIC_API_KEY: 'sim-upstream',
    PORT: String(port),
    npm_config_offline: 'true',
    npm_config_audit: 'false',
  })
  /** Without blocking this process, because the simulated Claude answers from it. */
  const sh = async (script: string) => {
    const child = spawn('sh', ['-c', script], { cwd: copy, env: env() })
    const [stdout, stderr, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    return { status, stdout, stderr }
  }
  /** Goes on until the test ends; answers when `said` stands in its output. */
  const start = async (script: string, said: RegExp) => {
    const started = spawn('sh', ['-c', script], { cwd: copy, env: env(), detached: true })
    running = started
    let output = ''
    for (const stream of [started.stdout, started.stderr]) stream.on('data', (data) => (output += data))
    await expect
      .poll(() => (started.exitCode === null ? output : `ended: ${output}`), { timeout: LONG - 10_000 })
      .toMatch(said)
    return output
  }

  test(
    DEMO,
    async () => {
      const output = await start(DEMO, /Ctrl-C ends it/)
      const key = /Key +(sk-\S+)/.exec(output)?.[1] ?? ''
      const answer = await sh(`curl -sS http://localhost:${port}/v1/models -H "x-api-key: ${key}"`)
      expect(answer.stdout).toContain('claude-opus-5-5')
    },
    LONG,
  )

  test(
    [COPY, KEYS, CHECK, START, CLAUDE_CODE, CURL, PYTHON].join('; '),
    async () => {
      const example = join(copy, 'config/config.example.yaml')
      const settings = readFileSync(example, 'utf8')
        .replace('port: 8080', `port: ${port}`)
        .replace('https://api.anthropic.com', claude.url)
      writeFileSync(example, settings)
      const begun = [COPY, KEYS.replace('ANTHROPIC_API_KEY=…', 'ANTHROPIC_API_KEY=sim-upstream')].join('\n')
      const checked = await sh(`${begun}\n${CHECK}`)
      expect(checked).toMatchObject({ status: 0, stderr: expect.stringContaining('auth.admin_itcode') })
      await start(`${begun}\n${START}`, /server\.listening/)

      expect(await sh('npm run --silent cli -- user create ann')).toMatchObject({ status: 0 })
      const key = /sk-\S+/.exec((await sh('npm run --silent cli -- key create ann')).stdout)?.[0] ?? ''
      const call = async (line: string) =>
        JSON.parse((await sh(line.replaceAll('8080', String(port)).replace('sk-…', key))).stdout)
      await expect.poll(() => call(CURL)).toMatchObject({ type: 'message', model: 'claude-opus-5-5' })
      expect(await call(CLAUDE_CODE)).toMatchObject({ type: 'message', model: 'claude-haiku-5-5' })
      expect(await call(PYTHON)).toMatchObject({ object: 'chat.completion' })
    },
    LONG,
  )

  test(`${ADOPT} says what else it wants`, async () => {
    expect(await sh(ADOPT)).toMatchObject({ status: 1, stderr: expect.stringContaining('ID is missing.') })
  })
})
