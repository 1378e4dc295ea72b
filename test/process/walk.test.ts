import { execFile, spawn } from 'node:child_process'
import { existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/stores.ts'

const ROOT = join(import.meta.dirname, '../..')

test('the way of a newcomer through the demo, with curl alone', async () => {
  const folder = temporaryFolder()
  const log = join(folder.path, 'demo.log')
  const output = openSync(log, 'a')
  const demo = spawn(process.execPath, ['adapters/demo/index.ts'], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, PORT: '0' },
    stdio: ['ignore', output, output],
  })
  try {
    const urlOf = () =>
      existsSync(log) ? /Gateway +(http\S+)/.exec(readFileSync(log, 'utf8'))?.[1] : undefined
    await expect.poll(urlOf, { timeout: 30_000 }).toBeDefined()
    // Whoever walks it again finds the way as it was.
    for (let i = 0; i < 2; i++) {
      const { stdout } = await promisify(execFile)('sh', ['test/walk.sh', urlOf() ?? '', log], { cwd: ROOT })
      const steps = Object.fromEntries(
        stdout.split('\n== ').map((step) => [step.slice(0, step.indexOf('\n')).split(':')[0], step]),
      )
      expect(steps['Call Claude with it']).toContain('"stop_reason":"end_turn"')
      expect(steps['See what it cost']).toMatch(/"requests":1\b/)
      expect(steps['Call claude-fable-5-2']).toContain('needs approval')
      expect(steps['An administrator approves']).toContain('"status":"approved"')
      expect(steps['Call claude-fable-5-2 again']).toContain('"stop_reason":"end_turn"')
      expect(steps['Download the usage']?.match(/,newcomer-\d+,/g)).toHaveLength(2)
      expect(stdout).toMatch(/Done\.\s*$/)
    }
  } finally {
    demo.kill()
    folder.remove()
  }
}, 60_000)
