/** What a call may cost is held whatever its body looks like, on whatever runtime the gateway is. */
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { usageLogs } from '../../core/db/schema.ts'
import { type Client, type Gateway, knownKey, type Runtime } from '../support/runtime.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const DOLLAR = 1_000_000
const ASK = { model: 'claude-opus-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] }
const { max_tokens: _, ...UNLIMITED } = ASK
const saying = (...content: unknown[]) => ({ ...ASK, messages: [{ role: 'user', content }] })
const ADDRESS = { type: 'url', url: 'https://docs.test/1000-pages.pdf' }

/** Bodies of two hundred bytes that may be worth any money. */
const BODIES: [what: string, body: object | string][] = [
  ['a document by its address', saying({ type: 'document', source: ADDRESS })],
  [
    'an image by its address in what a tool answered',
    saying({ type: 'tool_result', tool_use_id: 't', content: [{ type: 'image', source: ADDRESS }] }),
  ],
  ['a tool that fetches', { ...ASK, tools: [{ type: 'web_fetch_20260309', name: 'web_fetch' }] }],
  [
    'endless searches',
    { ...ASK, tools: [{ type: 'web_search_20260318', name: 'web_search', max_uses: 1e15 }] },
  ],
  ['a server of tools', { ...ASK, mcp_servers: [{ type: 'url', url: 'https://mcp.test', name: 'm' }] }],
  ['no max_tokens', UNLIMITED],
  ['max_tokens twice', JSON.stringify(ASK).replace('{', '{"max_tokens":128000,')],
  ...[0, -1, 0.5, 1e300, '100', null].map((max_tokens): [string, object] => [
    `max_tokens of ${JSON.stringify(max_tokens)}`,
    { ...ASK, max_tokens },
  ]),
  [
    'an expensive model to fall back to',
    { ...ASK, max_tokens: 20_000, fallbacks: [{ model: 'claude-fable-5' }] },
  ],
]

export function moneyContract({ name, start, abilities }: Runtime) {
  describe(`money on ${name}`, () => {
    let upstream: FakeUpstream
    let gateway: Gateway
    beforeAll(async () => {
      upstream = await startUpstream()
      gateway = await start({ backends: [{ name: 'a', url: upstream.url }] })
    })
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
    })
    beforeEach(() => upstream.reset())

    const known = (given: Parameters<Client['newKey']>[0]) => knownKey(gateway, abilities, given)
    const spentBy = async (userId: number) => {
      const rows = await gateway.db.select().from(usageLogs).where(eq(usageLogs.userId, userId))
      return rows.reduce((sum, { costMicros }) => sum + costMicros, 0)
    }

    test.each(BODIES)('many calls at once with %s spend a budget and one call at most', async (_, body) => {
      const { secret, userId } = await known({ budgetMicros: DOLLAR })
      const calls = Math.min(200, abilities.atOnce)
      const release = Promise.withResolvers<void>()
      const worth = messageJson({ usage: { input_tokens: 249_900 } })
      upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [release.promise, worth] })
      let refused = 0
      const sending = Promise.all(
        Array.from({ length: calls }, async () => {
          const answer = await gateway.send(body, { key: secret })
          if (answer.status === 429) refused += 1
          await answer.text()
        }),
      )
      const passed = () => upstream.requests.filter(({ url }) => url === '/v1/messages').length
      await expect.poll(() => refused + passed(), { timeout: 20_000 }).toBe(calls)
      release.resolve()
      await sending
      expect(passed()).toBeGreaterThan(0)
      await expect.poll(() => spentBy(userId)).toBeGreaterThanOrEqual(DOLLAR)
      expect(await spentBy(userId)).toBeLessThanOrEqual(2 * DOLLAR)
    })

    test('two dollars serve the longest answers there are, one after the other', async () => {
      const { secret } = await known({ budgetMicros: 2 * DOLLAR })
      for (let i = 0; i < 3; i++) {
        const answer = await gateway.send({ ...ASK, max_tokens: 128_000 }, { key: secret })
        expect(answer.status).toBe(200)
        await answer.text()
        await gateway.rowOf(answer)
      }
    })

    test.skipIf(abilities.atOnce < 2)("OpenAI's interface holds the same", async () => {
      const { secret } = await known({ budgetMicros: DOLLAR })
      const release = Promise.withResolvers<void>()
      upstream.answer({
        headers: { 'content-type': 'application/json' },
        chunks: [release.promise, messageJson()],
      })
      const image = { type: 'image_url', image_url: { url: ADDRESS.url } }
      const asked = { model: ASK.model, messages: [{ role: 'user', content: [image] }] }
      const send = () =>
        gateway.send({ ...asked, max_tokens: 10 }, { key: secret, path: '/v1/chat/completions' })
      const first = send()
      await expect.poll(() => upstream.requests.filter(({ url }) => url === '/v1/messages').length).toBe(1)
      const second = await send()
      const refusal: unknown = await second.json()
      expect(second.status).toBe(429)
      expect(refusal).toMatchObject({ error: { type: 'rate_limit_error' } })
      release.resolve()
      expect((await first).status).toBe(200)
    })
  })
}
