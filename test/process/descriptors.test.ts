import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { messageStream, startUpstream } from '../support/upstream.ts'

const CALLS = 200
const ASK = {
  model: 'claude-opus-5-5',
  max_tokens: 50,
  stream: true,
  messages: [{ role: 'user', content: 'hi' }],
}

const open: { stop(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.stop()
})
async function started() {
  const upstream = await startUpstream()
  // By name, because looking it up needs descriptors too.
  const url = upstream.url.replace('127.0.0.1', 'localhost')
  const gateway = await startGateway({ backends: [{ name: 'a', url }] })
  open.push(gateway, upstream)
  return { gateway, upstream }
}

describe('a process that may open 256 files', () => {
  test('tells new calls to come again, finishes those it took, and counts nothing against a backend', async () => {
    const { gateway, upstream } = await started()
    spawnSync('prlimit', ['--pid', String(gateway.process.pid), '--nofile=256'])
    const finish = Promise.withResolvers<void>()
    const frames = messageStream()
    upstream.answer({ chunks: [frames[0] ?? '', finish.promise, ...frames.slice(1)] })
    const calls: Promise<Response>[] = []
    for (let i = 0; i < CALLS; i++) {
      calls.push(gateway.send(ASK))
      // One after the other, as people come: the kernel closes connections that come faster than the process takes them.
      await sleep(5)
    }
    const answers = await Promise.all(calls)
    const taken = answers.filter(({ status }) => status === 200)
    const told = answers.filter(({ status }) => status === 503)
    expect(taken.length + told.length).toBe(CALLS)
    expect(taken.length).toBeGreaterThan(20)
    expect(told.length).toBeGreaterThan(20)
    expect(told.filter(({ headers }) => headers.get('retry-after') === null)).toEqual([])
    for (const one of told) expect(await one.text()).toContain('overloaded_error')
    finish.resolve()
    for (const one of taken) expect(await one.text()).toBe(frames.join(''))
    expect(gateway.output()).not.toContain('backend.outage')
    expect(gateway.output()).not.toContain('call.attempt_failed')
    await expect.poll(async () => (await gateway.send(ASK)).status).toBe(200)
  }, 120_000)

  test('is warned of at the start', async () => {
    const { gateway } = await started()
    await gateway.end('SIGTERM')
    const start = `ulimit -n 1000; exec ${process.execPath} adapters/node/index.ts`
    const again = spawn('bash', ['-c', start], { env: { ...process.env, CONFIG_PATH: gateway.configPath } })
    let output = ''
    again.stdout.on('data', (data) => {
      output += data
    })
    const ended = once(again, 'exit')
    await expect.poll(() => output, { timeout: 30_000 }).toContain('server.listening')
    again.kill('SIGTERM')
    await ended
    expect(output).toContain('"event":"server.few_descriptors","limit":1000')
    expect(gateway.output()).not.toContain('server.few_descriptors')
  }, 60_000)
})
