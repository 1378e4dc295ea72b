import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:http'
import { startSimulatedClaude } from '../../adapters/node/demo/simulated-claude.ts'
import { startGateway } from '../support/gateway.ts'

const claude = await startSimulatedClaude({ pace: 0 })
const gw = await startGateway({ backends: [{ name: 'sim', url: claude.url, api_key: 'sim-a' }] })
const run = async (prompt: string, key: string, ...more: string[]) => {
  const t = Date.now()
  const home = mkdtempSync('/tmp/cl/h-')
  const p = spawn(
    '/work/main/.tools/clients/node_modules/.bin/claude',
    ['-p', prompt, '--output-format', 'json', ...more],
    {
      cwd: home,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: home,
        ANTHROPIC_BASE_URL: gw.url,
        ANTHROPIC_AUTH_TOKEN: key,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
        DISABLE_AUTOUPDATER: '1',
        IS_SANDBOX: '1',
      },
    },
  )
  let out = ''
  p.stdout.on('data', (d) => (out += d))
  p.stderr.on('data', (d) => (out += '[E]' + d))
  const timer = setTimeout(() => p.kill('SIGKILL'), 25000)
  const code = await new Promise((r) => p.on('exit', r))
  clearTimeout(timer)
  console.log('----', prompt, code, Date.now() - t, out)
}
await run('hello', gw.key)
await run('use the Bash tool', gw.key, '--allowedTools', 'Bash')
await run('hello', 'cgw_wrong')
console.log(await gw.rows(1))
console.log(gw.output())
await gw.stop()
await claude.stop()
