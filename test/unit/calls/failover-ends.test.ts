import { describe, expect, test } from 'vitest'
import type { Call } from '../../../core/calls/call.ts'
import { BOB, backend, OPUS } from '../../support/backends.ts'
import { call } from '../../support/call.ts'
import {
  type Answer,
  errorOf,
  failoverScene,
  NOT_OFFERED,
  OVERLOADED,
  REFUSED,
  type Scene,
  SERVED,
  statusOf,
} from '../../support/failover.ts'
import { JSON_TYPE, silence } from '../../support/port-upstream.ts'
import { refusalOf } from '../../support/refusals.ts'

describe('a call that met a time-out', () => {
  /** Lets a minute pass at a time until the call is over. */
  const late = async ({ clock }: Scene, sending: Promise<unknown>) => {
    let isOver = false
    void sending.then(() => {
      isOver = true
    })
    while (!isOver) {
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(60_000)
    }
  }
  /** Backends that gave somebody an answer a moment ago. */
  const answering = async (scene: Scene, ...names: string[]) => {
    for (const name of names) await scene.call({ kind: 'served' }, { boundTo: name, person: BOB })
  }

  test('goes to a backend that answered somebody lately, and to one at most', async () => {
    const scene = failoverScene({ a: silence, b: OVERLOADED, c: SERVED })
    await answering(scene, 'b', 'c')
    const sending = scene.send()
    await late(scene, sending)
    expect(statusOf(await sending)).toBe(529)
    expect(scene.tried).toEqual(['a', 'b'])
  })

  test('goes to none that did not', async () => {
    const scene = failoverScene({ a: silence, b: SERVED })
    const sending = refusalOf(scene.send())
    await late(scene, sending)
    expect(await sending).toMatchObject({
      code: 'upstream_timeout',
      message: 'Claude did not begin to answer in time. Please try again.',
    })
    expect(scene.tried).toEqual(['a'])
  })

  test('counts against its backend, unless that answered somebody meanwhile', async () => {
    for (const answered of [false, true]) {
      const scene = failoverScene({
        a: (signal) => {
          // Somebody else's call gets its first byte while this one waits.
          if (answered) void scene.balancer.memory.firstByteAt.set(`a ${OPUS}`, scene.clock.elapsed())
          return silence(signal)
        },
      })
      const sending = refusalOf(scene.send())
      await late(scene, sending)
      const failures = scene.balancer.memory.local.get(`a ${OPUS}`)?.failures.length
      expect(failures).toBe(answered ? undefined : 1)
    }
  })

  test('while it waited for a whole answer goes nowhere else', async () => {
    const scene = failoverScene({ a: silence, b: SERVED })
    const sending = scene.send({ stream: false })
    await late(scene, sending)
    expect(await sending).toEqual({ kind: 'whole_answer_late', answer: undefined })
    expect(scene.tried).toEqual(['a'])
    expect(scene.balancer.memory.local.get(`a ${OPUS}`)).toMatchObject({ reason: 'no answer in time' })
    expect(scene.balancer.views()[0]?.inFlight).toBe(0)
  })

  test('of its own client’s making counts against nobody', async () => {
    const scene = failoverScene({ a: silence })
    const sending = scene.send({ stream: false, clientTimeoutMs: 1_000 })
    await late(scene, sending)
    expect(await sending).toEqual({ kind: 'whole_answer_late', answer: undefined })
    expect(scene.balancer.memory.local.size()).toBe(0)
  })

  test('that the upstream tells of is shown', async () => {
    const { send } = failoverScene({ a: errorOf(504, 'timeout_error') })
    expect(await send({ stream: false })).toMatchObject({
      kind: 'whole_answer_late',
      answer: { status: 504 },
    })
  })
})

describe('what others hear who find no usable backend', () => {
  const keptBy = async (answer: Answer, told: Partial<Call> = {}) => {
    const scene = failoverScene({ a: answer })
    const sending = scene.send(told).catch(() => {})
    if (answer === silence) {
      await expect.poll(() => scene.upstream.asked.length).toBe(1)
      scene.clock.advance(60_000)
    }
    await sending
    return { now: scene.clock.now(), kept: scene.balancer.memory.tries.kept([`a ${OPUS}`]) }
  }

  test.each<[string, Answer, object | undefined]>([
    [
      'status and type of the last answer',
      OVERLOADED,
      { status: 529, type: 'overloaded_error', retryAt: undefined },
    ],
    [
      'an error of a web page as one of the gateway',
      { status: 502, body: '<html>' },
      { status: 502, type: 'api_error' },
    ],
    ['a redirect as an error', { status: 302 }, { status: 502, type: 'api_error', retryAt: undefined }],
    ['a time-out as such', silence, { status: 504, type: 'timeout_error', retryAt: undefined }],
    ['nothing of an account', REFUSED, undefined],
    ['nothing of a model that is not offered', NOT_OFFERED, undefined],
  ])('is %s', async (_, answer, expected) => {
    const { kept } = await keptBy(answer)
    if (expected) expect(kept).toMatchObject(expected)
    else expect(kept).toBeUndefined()
  })

  test('is until when the upstream asked to wait', async () => {
    const headers = [...JSON_TYPE, ['retry-after', '7'] satisfies [string, string]]
    const { kept, now } = await keptBy({ ...errorOf(429, 'rate_limit_error'), headers })
    expect(kept).toEqual({ status: 429, type: 'rate_limit_error', retryAt: now + 7_000 })
  })

  test('is never anybody’s words', async () => {
    const { kept } = await keptBy(errorOf(529, 'overloaded_error', 'secret'))
    expect(JSON.stringify(kept)).not.toContain('secret')
  })
})

describe('when no backend is usable', () => {
  test('one is tried all the same, once', async () => {
    const scene = failoverScene({ a: OVERLOADED, b: OVERLOADED })
    await scene.eject('a')
    await scene.eject('b')
    expect(statusOf(await scene.send({ caller: { ...call().caller, userId: 9 } }))).toBe(529)
    expect(scene.tried).toHaveLength(1)
  })

  test('all others hear the refusal that the last try got', async () => {
    const scene = failoverScene({ a: OVERLOADED })
    await scene.eject('a')
    const refusalWith = async (retryAt: number | undefined) => {
      scene.balancer.keepRefusal(backend('a'), OPUS, { status: 529, type: 'overloaded_error', retryAt })
      return refusalOf(scene.send({ caller: { ...call().caller, userId: 99 } }))
    }
    for (const person of [11, 12, 13, 14]) await scene.balancer.tryAnyway(scene.wanted({ person }))
    const vague = await refusalWith(undefined)
    expect(vague).toMatchObject({ code: 'upstream_refused', retryAfterMs: 3_000 })
    expect(vague.message).toContain('The upstreams of this model are failing or overloaded.')
    expect(vague.shown).toEqual({ status: 529, type: 'overloaded_error' })
    expect(await refusalWith(scene.clock.now() + 700)).toMatchObject({ retryAfterMs: 700 })
    expect(await refusalWith(scene.clock.now())).toMatchObject({ retryAfterMs: 3_000 })
    expect(scene.tried).toEqual([])
  })

  test.each<[string, (scene: Scene) => unknown, object]>([
    [
      'none serves the model',
      ({ send }) => send({ model: 'claude-x' }),
      { code: 'model_unknown', message: 'model: claude-x' },
    ],
    [
      'none is offered it',
      ({ balancer, clock, send }) => {
        balancer.memory.shared.record(`a ${OPUS}`, { kind: 'not_offered', at: clock.now(), reason: 'x' })
        return send()
      },
      { code: 'model_unknown', message: `model: ${OPUS}` },
    ],
    [
      'each account is out',
      ({ balancer, send }) => {
        balancer.disable(backend('a'), { kind: 'account_refused', reason: 'x' })
        return send()
      },
      { code: 'all_backends_failed', message: 'No upstream account can be used. Ask an administrator.' },
    ],
    [
      'each is switched off',
      ({ balancer, send }) => {
        balancer.adjust('a', { enabled: false })
        return send()
      },
      {
        code: 'no_backend_available',
        retryAfterMs: 3_000,
        message: 'No upstream can take calls right now. Please try again shortly.',
      },
    ],
    ['the account is not there', ({ send }) => send({ boundTo: 'x' }), { code: 'account_unavailable' }],
  ])('and %s, it says so', async (_, sent, expected) => {
    const scene = failoverScene({}, { backends: [backend('a', { models: [OPUS] })] })
    expect(await refusalOf(Promise.resolve(sent(scene)))).toMatchObject(expected)
  })
})

describe('a call that continues what one backend knows', () => {
  test('goes there first, and elsewhere after', async () => {
    const { send, tried } = failoverScene({ a: SERVED, b: OVERLOADED })
    expect(await send({ steersTo: 'b' })).toMatchObject({ selection: { backend: { name: 'a' } } })
    expect(tried).toEqual(['b', 'a'])
  })

  test('goes elsewhere while that one is out', async () => {
    const scene = failoverScene({ a: SERVED, b: SERVED })
    await scene.eject('b')
    await scene.send({ steersTo: 'b' })
    expect(scene.tried).toEqual(['a'])
  })

  test('goes to the account that it is bound to all the same', async () => {
    const { send, tried } = failoverScene({ a: SERVED, b: SERVED })
    await send({ steersTo: 'a', boundTo: 'b' })
    expect(tried).toEqual(['b'])
  })
})
