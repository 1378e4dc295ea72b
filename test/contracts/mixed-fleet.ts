/** Several kinds of backends, most of which fail: no client sees a failure that another backend could have served. */
import { expect, test } from 'vitest'
import { startClaudeOnAws, startFoundry, startMantle } from '../support/relatives.ts'
import type { Runtime } from '../support/runtime.ts'
import { errorJson, messageStream, type Script, sse, startUpstream } from '../support/upstream.ts'

const MODEL = 'claude-opus-5-5'
const KEY = 'k-of-the-company-4711'
const CALLS = 24
const TIMEOUT_MS = 180_000

const json = (status: number, type: string, headers = {}): Script => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  chunks: [errorJson(type)],
})
const OVERLOADED_STREAM: Script = {
  headers: { 'content-type': 'text/event-stream' },
  chunks: [sse({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })],
}
/** What each place does in turn, over and over. */
const THROTTLED = [json(429, 'rate_limit_error', { 'retry-after': '1' }), json(429, 'rate_limit_error')]
const SLOW: Script[] = [{ chunks: [4_000, ...messageStream()] }, { before: 'refuse' }]
const OVERLOADED = [json(529, 'overloaded_error'), OVERLOADED_STREAM, json(500, 'api_error')]

export function mixedFleetContract({ name, start, abilities }: Runtime) {
  test(
    `on ${name}, with Mantle throttled, Foundry slow and Anthropic overloaded, every call is served`,
    async () => {
      const [sound, throttled, slow, overloaded] = await Promise.all(
        Array.from({ length: 4 }, () => startUpstream()),
      )
      if (!sound || !throttled || !slow || !overloaded) throw new Error('four upstreams are needed')
      const inTurn = (scripts: readonly Script[]) => {
        let turn = 0
        return () => scripts[turn++ % scripts.length] ?? {}
      }
      throttled.answer(inTurn(THROTTLED))
      slow.answer(inTurn(SLOW))
      overloaded.answer(inTurn(OVERLOADED))
      const aws = await startClaudeOnAws({ claude: sound, key: KEY, workspace: 'w' })
      const foundry = await startFoundry({ claude: slow, key: KEY, deployments: [MODEL] })
      const mantle = await startMantle({ claude: throttled, key: KEY })
      const gateway = await start({
        retry: { max_attempts: 4, first_byte_timeout: '1s' },
        backends: [
          { name: 'anthropic', url: overloaded.url },
          ...[
            { name: 'mantle', type: 'bedrock-mantle', region: 'eu-west-1', url: `${mantle.url}/anthropic` },
            { name: 'foundry', type: 'foundry', url: `${foundry.url}/anthropic` },
          ].map((backend) => ({ ...backend, api_key: KEY, models: mantleNames(backend.name) })),
          ...[{ name: 'aws', type: 'claude-on-aws', region: 'eu-west-1', workspace_id: 'w' }].map(
            (backend) => ({ ...backend, url: aws.url, api_key: KEY }),
          ),
        ],
      })
      try {
        // A person each, because one alone ejects nothing.
        const keys = await Promise.all(Array.from({ length: CALLS }, () => gateway.newKey()))
        const counted = { model: MODEL, messages: [{ role: 'user', content: 'hello' }] }
        const knows = async (key: string) =>
          (await gateway.send(counted, { path: '/v1/messages/count_tokens', key })).status
        for (const { secret } of keys)
          await expect.poll(() => knows(secret), { timeout: 20_000 }).not.toBe(401)
        const call = async (i: number) => {
          const key = keys[i]?.secret ?? ''
          const messages = [{ role: 'user', content: `conversation ${i}` }]
          const body = { model: MODEL, max_tokens: 10, stream: true, messages }
          const answer = await gateway.send(body, { key })
          return [answer.status, (await answer.text()).includes('event: message_stop')]
        }
        const seen: unknown[] = []
        const atOnce = Math.min(4, abilities.atOnce)
        for (let i = 0; i < CALLS; i += atOnce) {
          seen.push(...(await Promise.all(Array.from({ length: atOnce }, (_, j) => call(i + j)))))
        }
        expect(seen).toEqual(Array.from({ length: CALLS }, () => [200, true]))
        // All of them were asked, so that there was something to hide.
        for (const upstream of [throttled, slow, overloaded]) expect(upstream.requests).not.toEqual([])
        const rows = await gateway.rows(CALLS)
        expect(new Set(rows.map(({ outcome }) => outcome))).toEqual(new Set(['ok']))
      } finally {
        await gateway.stop()
        await Promise.all([aws, foundry, mantle, sound, throttled, slow, overloaded].map((one) => one.stop()))
      }
    },
    TIMEOUT_MS,
  )
}

function mantleNames(name: string) {
  return name === 'mantle' ? [{ id: MODEL, upstream: `anthropic.${MODEL}` }] : [MODEL]
}
