/**
 * Run as a process of its own with --expose-gc: makes, uses and deletes as many keys as its argument says, each with a
 * limit of a million requests a minute, and tells how many bytes of memory that left in use.
 */
import { startApp } from './app.ts'
import { startUpstream } from './upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
const MINUTE_MS = 60_000

const upstream = await startUpstream()
const app = await startApp({ backends: [{ name: 'a', url: upstream.url, api_key: 'k-of-a' }] })
const ann = await app.signIn('ann')

async function live(keys: number) {
  for (let i = 0; i < keys; i++) {
    const { key } = (await ann.post('/api/keys', { name: `key ${i}`, requests_per_minute: 1_000_000 })).body
    const headers = { authorization: `Bearer ${key.key}`, 'content-type': 'application/json' }
    const answer = await app.request('/v1/messages', { method: 'POST', headers, body: JSON.stringify(ASK) })
    if (answer.status !== 200) throw new Error(`refused: ${answer.text}`)
    await ann.delete(`/api/keys/${key.id}`)
    upstream.requests.length = 0
    app.logs.lines.length = 0
  }
  app.clock.advance(2 * MINUTE_MS)
  await app.settled()
}
function bytesInUse(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

// What every process needs once.
await live(20)
const before = bytesInUse()
await live(Number(process.argv[2]))
// Whoever was quiet for a minute is forgotten when somebody calls.
await live(1)
process.send?.(bytesInUse() - before)
await app.close()
await upstream.stop()
