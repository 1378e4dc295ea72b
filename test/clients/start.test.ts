/** The lines of the page that shows how to begin, each run by the real program that it is for. */
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { KEY_WAYS, type KeyWay, type Lines, linesOf } from '../../site/src/lib/start/ways.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { temporaryFolder } from '../support/stores.ts'
import { CLAUDE_BINARY, PROGRAMS_FOLDER, PYTHON } from './install.ts'

const run = promisify(execFile)
const MODEL = 'claude-opus-5-5'
const FORMS = KEY_WAYS.flatMap((way) => {
  const forms = linesOf(way, { origin: '', key: '', model: '' }).map(({ form }) => form)
  // There is no PowerShell here.
  return forms.filter((form) => form !== 'powershell').map((form) => ({ way, form }))
})

describe('what a person is shown to paste', () => {
  const stack = new AsyncDisposableStack()
  let claude: SimulatedClaude
  let gateway: TestGateway
  beforeAll(async () => {
    claude = await startSimulatedClaude({ pace: 0 })
    stack.defer(() => claude.stop())
    gateway = await startGateway({ backends: [{ name: 'claude', url: claude.url, api_key: 'sim-upstream' }] })
    stack.defer(() => gateway.stop())
    mkdirSync(PROGRAMS_FOLDER, { recursive: true })
  })
  afterAll(() => stack.disposeAsync())

  /** A home folder, and how to run a program in it. */
  const person = () => {
    const home = temporaryFolder()
    stack.defer(() => home.remove())
    const env = {
      PATH: `${dirname(CLAUDE_BINARY)}:${process.env.PATH}`,
      HOME: home.path,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
    }
    const start = (command: string, ...args: string[]) =>
      run(command, args, { cwd: home.path, env, timeout: 100_000 })
    const save = (place: string, text: string) => {
      const path = place.replace('~', home.path)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    }
    return { sh: (text: string) => start('sh', '-c', text), start, save }
  }

  /** What is done with the lines of a way, in one of its forms. */
  const tried = async (way: KeyWay, { form, text, place = '' }: Lines, all: readonly Lines[]) => {
    const { sh, start, save } = person()
    // What a person would type into the program that the lines start.
    const asking = { claude: 'claude -p Hello', codex: 'codex exec --skip-git-repo-check Hello' }
    if (form === 'python') return start(PYTHON, '-c', text)
    if (form === 'typescript') {
      const program = join(PROGRAMS_FOLDER, `start-${way}.mts`)
      writeFileSync(program, text)
      return start(process.execPath, program)
    }
    if (way === 'claude') {
      if (form === 'file') save(place, text)
      return sh(form === 'file' ? asking.claude : text.replace(/^claude$/m, asking.claude))
    }
    if (way === 'codex') {
      const shell = all.find((one) => one.form === 'sh')?.text ?? ''
      const file = all.find((one) => one.form === 'file')
      save(file?.place ?? '', file?.text ?? '')
      return sh(`${shell.replace(/^codex$/m, asking.codex)} < /dev/null`)
    }
    if (way === 'curl') return sh(text)
    const client = {
      sdk: 'import anthropic as sdk; client = sdk.Anthropic()',
      openai: 'import openai as sdk; client = sdk.OpenAI()',
    }[way]
    const said = way === 'sdk' ? 'messages.create(max_tokens=9, ' : 'chat.completions.create('
    const program = `${client}; print(client.${said}model="${MODEL}", messages=[{"role": "user", "content": "Hello!"}]))`
    save('~/program.py', program)
    return sh(`${text}\n${PYTHON} program.py`)
  }

  test.each(FORMS)('works as it stands: $way, $form', async ({ way, form }) => {
    const { secret, keyId } = await gateway.newKey()
    const all = linesOf(way, { origin: gateway.url, key: secret, model: MODEL })
    const lines = all.find((one) => one.form === form)
    if (!lines) throw new Error(`${way} has no ${form}`)
    const headers = { 'x-api-key': secret }
    await expect.poll(async () => (await fetch(`${gateway.url}/v1/models`, { headers })).status).toBe(200)
    const { stdout } = await tried(way, lines, all)
    expect(stdout).not.toBe('')
    const ofKey = async () => (await gateway.rows(0)).filter(({ apiKeyId }) => apiKeyId === keyId)
    await expect.poll(async () => (await ofKey()).map(({ outcome }) => outcome)).toContain('ok')
  })
})
