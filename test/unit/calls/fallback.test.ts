/** Another model, where no backend can serve the one that was asked for. */
import { describe, expect, test } from 'vitest'
import { settingsFrom } from '../../../config/settings.ts'
import type { Call } from '../../../core/calls/call.ts'
import { fallbacksOf, sendWithFallbacks } from '../../../core/calls/fallback.ts'
import type { Deps } from '../../../core/deps.ts'
import { backend, HAIKU, OPUS, SONNET } from '../../support/backends.ts'
import { call, caller, NO_RULES } from '../../support/call.ts'
import {
  type Answer,
  errorOf,
  failoverScene,
  NO_NETWORK,
  NOT_OFFERED,
  OVERLOADED,
  REFUSED,
  type Scene,
  SERVED,
  UNPAID,
  UNREACHABLE,
} from '../../support/failover.ts'
import { load, MINIMAL } from '../config/settings.ts'

/** A backend for each model. */
async function sent(
  answers: { opus: Answer; sonnet?: Answer; haiku?: Answer },
  body: object = {},
  told: Partial<Call> = {},
  before: (scene: Scene) => unknown = () => {},
) {
  const models: Record<string, string> = { opus: OPUS, sonnet: SONNET, haiku: HAIKU }
  const names = Object.keys(answers)
  const backends = names.map((name) => backend(name, { models: [models[name] ?? ''] }))
  const scene = failoverScene({ ...answers }, { backends })
  const { parts, upstream } = scene
  await before(scene)
  const messages = [{ role: 'user', content: 'hi' }]
  const bytes = new TextEncoder().encode(JSON.stringify({ model: OPUS, messages, ...body }))
  const seen: string[] = []
  const record = {
    sentTo: (name: string) => void seen.push(name),
    sentAs: (name: string) => void seen.push(name),
    ended: () => {},
  }
  const asked = call({ body: bytes, fallbacks: [SONNET, HAIKU], ...told })
  const end = await sendWithFallbacks(parts, asked, record).catch((cause: unknown) => cause)
  return { end, seen, bodies: upstream.asked.map((request) => request.body) }
}
const textOf = (body: unknown) => JSON.parse(new TextDecoder().decode(body as Uint8Array)) // what is sent of a call

describe('a call with fallbacks', () => {
  test('is sent as it came where its model is served', async () => {
    expect((await sent({ opus: SERVED, sonnet: SERVED })).seen).toEqual(['opus'])
  })

  test.each<[string, Answer]>([
    ['is overloaded', OVERLOADED],
    ['cannot be reached', UNREACHABLE],
    ['refuses our credential', REFUSED],
    ['cannot pay', UNPAID],
    ['does not offer the model', NOT_OFFERED],
  ])('goes on with the next model where its only backend %s', async (_, answer) => {
    const { end, seen, bodies } = await sent({ opus: answer, sonnet: SERVED })
    expect(seen).toEqual(['opus', SONNET, 'sonnet'])
    expect(end).toMatchObject({ call: { model: SONNET, requestedModel: OPUS }, served: { kind: 'answered' } })
    expect(textOf(bodies[1])).toEqual({ model: SONNET, messages: [{ role: 'user', content: 'hi' }] })
  })

  test('tries them in their order, and is answered as the first one was where none is served', async () => {
    const { end, seen } = await sent({
      opus: OVERLOADED,
      sonnet: errorOf(500, 'api_error'),
      haiku: UNREACHABLE,
    })
    expect(seen).toEqual(['opus', SONNET, 'sonnet', HAIKU, 'haiku', OPUS])
    expect(end).toMatchObject({ call: { model: OPUS }, served: { kind: 'kept', answer: { status: 529 } } })
  })

  test('goes on where no backend has the model at all', async () => {
    expect((await sent({ opus: OVERLOADED, sonnet: SERVED }, {}, { model: 'claude-x' })).seen).toEqual([
      SONNET,
      'sonnet',
    ])
  })

  test.each<[string, (scene: Scene) => unknown]>([
    ['is switched off', ({ balancer }) => balancer.adjust('opus', { enabled: false })],
    [
      'is out, and is tried for others',
      async ({ balancer, eject, wanted }) => {
        await eject('opus')
        for (const person of [11, 12, 13, 14]) await balancer.tryAnyway(wanted({ person }))
        const refusal = { status: 529, type: 'overloaded_error', retryAt: undefined }
        balancer.keepRefusal(backend('opus'), OPUS, refusal)
      },
    ],
  ])('goes on without asking its only backend where that %s', async (_, before) => {
    const { seen } = await sent({ opus: SERVED, sonnet: SERVED }, {}, {}, before)
    expect(seen).toEqual([SONNET, 'sonnet'])
  })

  test.each<[string, Answer]>([
    ['the request is wrong', errorOf(400, 'invalid_request_error')],
    ['the gateway has no network', NO_NETWORK],
  ])('stays with its model where %s', async (_, answer) => {
    expect((await sent({ opus: answer, sonnet: SERVED })).seen).toEqual(['opus'])
  })

  test.each<[string, object, Partial<Call>]>([
    ['names what one account has', {}, { boundTo: 'opus' }],
    ...['thinking', 'redacted_thinking'].map((type): [string, object, Partial<Call>] => [
      `has ${type} in its history`,
      {
        messages: [
          {
            role: 'assistant',
            content: [
              { type: 'text', text: 'a' },
              { type, signature: 's' },
            ],
          },
        ],
      },
      {},
    ]),
  ])('that %s stays with its model', async (_, body, told) => {
    const { seen, end } = await sent({ opus: OVERLOADED, sonnet: SERVED }, body, told)
    expect(seen).toEqual(['opus', OPUS])
    expect(end).toMatchObject({ served: { kind: 'kept', answer: { status: 529 } } })
  })

  test('that only speaks of thinking goes on', async () => {
    const input = { type: 'thinking' }
    const content = [
      { type: 'tool_use', id: 't', name: 'thinking', input },
      { type: 'text', text: 'thinking' },
    ]
    const { seen } = await sent(
      { opus: OVERLOADED, sonnet: SERVED },
      { messages: [{ role: 'assistant', content }] },
    )
    expect(seen).toEqual(['opus', SONNET, 'sonnet'])
  })
})

describe('fallbacks of a model', () => {
  const of = (model: string, given: Parameters<typeof caller>[0] = {}, file: object = {}) => {
    const model_fallbacks = { [OPUS]: [SONNET, HAIKU] }
    const settings = settingsFrom(load({ ...MINIMAL, model_fallbacks, ...file }))
    const prices = { canonical: (name: string) => name.replace(/-20\d+$/, '') } as Deps['prices'] // all that is asked
    return fallbacksOf({ settings, prices }, caller(given), model)
  }

  test('are found however the model is written, and there are none of others', () => {
    expect([of(OPUS), of(`${OPUS}-20260922`), of(SONNET)]).toEqual([[SONNET, HAIKU], [SONNET, HAIKU], []])
    expect(of(OPUS, {}, { model_fallbacks: {} })).toEqual([])
  })

  test('are those that the caller may use', () => {
    expect(of(OPUS, { models: { ...NO_RULES, deny: [SONNET] } })).toEqual([HAIKU])
    expect(of(OPUS, { models: { ...NO_RULES, only: [OPUS, SONNET] } })).toEqual([SONNET])
    const models = { rules: [{ match: '*haiku*', access: 'approval' }] }
    expect(of(OPUS, {}, { models })).toEqual([SONNET])
    expect(of(OPUS, { grants: new Set([HAIKU]) }, { models })).toEqual([SONNET, HAIKU])
  })
})
