/** Many large requests at once, and what they do to the memory of a gateway. */
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { mostResidentBytes, residentBytes } from '../bench/measure.ts'
import { startGateway } from './gateway.ts'
import { messageJson, startUpstream } from './upstream.ts'

const MB = 2 ** 20
const PEOPLE = 10
/** About the heap that V8 has in a container of 512 MB. */
const IN_512_MB = '--max-old-space-size=256 --max-semi-space-size=8'

export interface LargeBodies {
  /** How many calls had each status, or `cut` when the connection broke. */
  ended: Record<string, number>
  /** Refused calls without a `retry-after`. */
  withoutRetry: number
  beforeMb: number
  mostMb: number
  afterMb: number
}

/**
 * Sends `calls` of `megabytes` each at once, twice, to a gateway that gives bodies what it would in a container of 512 MB.
 * Then sends calls of 1 MB until memory is within 100 MB of before, 60 s at most: V8 collects when something is allocated, and
 * an idle process keeps what it had. Rejects if the gateway ends.
 */
export async function sendLargeBodies(calls = 40, megabytes = 31): Promise<LargeBodies> {
  const upstream = await startUpstream()
  upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [500, messageJson()] })
  const { NODE_OPTIONS = '' } = process.env
  process.env.NODE_OPTIONS = `${NODE_OPTIONS} ${IN_512_MB}`
  const gateway = await startGateway({
    backends: [{ name: 'a', url: upstream.url }],
    limits: { body_memory: '128MB' },
  }).finally(() => {
    process.env.NODE_OPTIONS = NODE_OPTIONS
  })
  const pid = gateway.process.pid ?? 0
  const keys = await Promise.all(Array.from({ length: PEOPLE }, () => gateway.newKey()))
  const bodyOf = (length: number) => {
    const messages = [{ role: 'user', content: 'x'.repeat(length * MB) }]
    return Buffer.from(JSON.stringify({ model: 'claude-opus-5-5', max_tokens: 5, messages }))
  }
  const [large, usual] = [bodyOf(megabytes), bodyOf(1)]
  const known = async () => {
    const asked = keys.map(({ secret: key }) => gateway.send({}, { key, path: '/v1/messages/count_tokens' }))
    return (await Promise.all(asked)).every(({ status }) => status === 400)
  }
  while (!(await known())) await sleep(100)
  const before = residentBytes(pid)
  const ended: LargeBodies['ended'] = {}
  let withoutRetry = 0
  const call = (key: string, body = large) =>
    new Promise<void>((resolve) => {
      const headers = {
        'x-api-key': key,
        'content-type': 'application/json',
        'content-length': body.length,
      }
      let over = false
      const done = (how: string) => {
        if (over) return
        over = true
        ended[how] = (ended[how] ?? 0) + 1
        resolve()
      }
      const sent = request(`${gateway.url}/v1/messages`, { method: 'POST', agent: false, headers })
      sent.on('response', (answer) => {
        if (answer.statusCode === 503 && answer.headers['retry-after'] === undefined) withoutRetry += 1
        answer.resume().on('end', () => done(String(answer.statusCode)))
      })
      sent.on('error', () => done('cut'))
      sent.end(body)
    })
  for (let round = 0; round < 2; round++) {
    await Promise.all(Array.from({ length: calls }, (_, i) => call(keys[i % PEOPLE]?.secret ?? '')))
    upstream.requests.length = 0
  }
  const deadline = performance.now() + 60_000
  while (residentBytes(pid) > before + 100 * MB && performance.now() < deadline) {
    await Promise.all(keys.map(({ secret }) => call(secret, usual)))
    upstream.requests.length = 0
  }
  const inMb = (bytes: number) => Math.round(bytes / MB)
  const measured = {
    ended,
    withoutRetry,
    beforeMb: inMb(before),
    mostMb: inMb(mostResidentBytes(pid)),
    afterMb: inMb(residentBytes(pid)),
  }
  await gateway.stop()
  await upstream.stop()
  return measured
}
