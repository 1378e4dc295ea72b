/** Another model answers where no backend can serve the one that was asked for, whatever runtime the gateway is on. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { errorJson, type FakeUpstream, startUpstream } from '../support/upstream.ts'

const OPUS = 'claude-opus-5-5'
const SONNET = 'claude-sonnet-5-5'
const FABLE = 'claude-fable-5-2'
const NAMED = '公司-opus'

export function modelFallbacksContract({ name, start }: Runtime) {
  describe(`fallbacks of models on ${name}`, () => {
    let failing: FakeUpstream
    let sound: FakeUpstream
    let gateway: Gateway
    beforeAll(async () => {
      failing = await startUpstream()
      failing.answer({
        status: 529,
        headers: { 'content-type': 'application/json' },
        chunks: [errorJson('overloaded_error')],
      })
      sound = await startUpstream()
      gateway = await start({
        backends: [
          { name: 'failing', url: failing.url, models: [OPUS, FABLE, NAMED] },
          { name: 'sound', url: sound.url, models: [SONNET] },
        ],
        // One that nobody may use comes before.
        model_fallbacks: { [OPUS]: ['claude-haiku-5-5', SONNET], [NAMED]: [SONNET] },
        models: { rules: [{ match: '*haiku*', access: 'closed' }] },
      })
    })
    afterAll(async () => {
      await gateway?.stop()
      await failing?.stop()
      await sound?.stop()
    })
    const ask = (model: string, stream: boolean, messages: object[] = [{ role: 'user', content: 'hi' }]) =>
      gateway.send({ model, max_tokens: 10, stream, messages })

    test.each([true, false])(
      'answer, say so, and have both names in the row (streamed: %s)',
      async (stream) => {
        const answer = await ask(OPUS, stream)
        await answer.text()
        expect([answer.status, answer.headers.get('x-gateway-warning')]).toEqual([
          200,
          `answered by ${SONNET}, because no upstream can serve ${OPUS} right now`,
        ])
        const row = await gateway.rowOf(answer)
        expect(row).toMatchObject({ requestedModel: OPUS, model: SONNET, backend: 'sound', outcome: 'ok' })
        expect(JSON.parse(String(sound.requests.at(-1)?.body))).toMatchObject({
          model: SONNET,
          max_tokens: 10,
        })
        // At the price of the model that answered.
        const plain = await ask(SONNET, stream)
        await plain.text()
        expect(plain.headers.get('x-gateway-warning')).toBeNull()
        expect((await gateway.rowOf(plain)).costMicros).toBe(row.costMicros)
      },
    )

    test('say so of a model whose name no header can have', async () => {
      const answer = await ask(NAMED, false)
      await answer.text()
      expect([answer.status, answer.headers.get('x-gateway-warning')]).toEqual([
        200,
        `answered by ${SONNET}, because no upstream can serve ??-opus right now`,
      ])
      expect(await gateway.rowOf(answer)).toMatchObject({ requestedModel: NAMED, outcome: 'ok' })
    })

    test('are not for other models, and not for a history with thinking', async () => {
      const before = sound.requests.length
      const thinking = { type: 'thinking', thinking: 't', signature: 's' }
      const history = [
        { role: 'user', content: 'hi' },
        { role: 'assistant', content: [thinking, { type: 'text', text: 'Hello' }] },
        { role: 'user', content: 'and?' },
      ]
      for (const answer of [await ask(FABLE, false), await ask(OPUS, false, history)]) {
        expect([answer.status, answer.headers.get('x-gateway-warning')]).toEqual([529, null])
        const row = await gateway.rowOf(answer)
        expect([row.model, row.outcome]).toEqual([row.requestedModel, 'error'])
      }
      expect(sound.requests.length).toBe(before)
    })
  })
}
