import { describe, expect, test } from 'vitest'
import { ClientGone } from '../../../core/calls/forward.ts'
import { createStop } from '../../../core/stop.ts'
import { ANN, backend, OPUS } from '../../support/backends.ts'
import { errorOf, OVERLOADED } from '../../support/failover.ts'
import { forwardingScene, readWhole } from '../../support/forwarding.ts'
import { SSE_TYPE, silence } from '../../support/port-upstream.ts'
import { refusalOf } from '../../support/refusals.ts'

const MESSAGE = { type: 'message', content: [], usage: { input_tokens: 10, output_tokens: 5 } }
const ANSWER = { body: MESSAGE }
const PAGE = { status: 502, headers: [['content-type', 'text/html'] as [string, string]], body: '<html>' }
const WHOLE = { stream: false }

/** Lets time pass until the upstream has been asked. */
const asked = (scene: ReturnType<typeof forwardingScene>) =>
  expect.poll(() => scene.upstream.asked.length).toBe(1)

describe('a call', () => {
  test('is reserved, sent, answered and settled once', async () => {
    const { forward, reserved, settled } = forwardingScene({ a: ANSWER })
    const reply = await forward(WHOLE)
    expect([reserved.length, settled.length]).toEqual([1, 0])
    expect(await readWhole(reply)).toEqual({ status: 200, text: JSON.stringify(MESSAGE), error: undefined })
    expect(settled).toMatchObject([
      {
        id: 'req_1',
        userId: ANN,
        keyId: 7,
        model: OPUS,
        backend: 'a',
        outcome: 'ok',
        statusCode: 200,
        attempts: 1,
      },
    ])
  })

  test('that a limit refuses goes nowhere', async () => {
    const admitted = { ok: false, limit: 'concurrency', scope: 'user', id: 1, resetAt: 0 } as const
    const { forward, tried, settled, freed } = forwardingScene({ a: ANSWER }, { admitted })
    const [body, ofOpenAi] = [new Uint8Array(9), new Uint8Array(8)]
    const native = { path: '/v1/chat/completions', headers: [], body: ofOpenAi, only: false }
    expect((await refusalOf(forward({ body, native }))).code).toBe('rate_limited')
    expect([tried, settled, freed]).toEqual([[], [], [body, ofOpenAi]])
  })

  test('tells the client how much of a limit is used', async () => {
    const admitted = { ok: true, used: { share: 0.8, period: 'monthly', resetAt: 0 } } as const
    for (const answer of [ANSWER, OVERLOADED]) {
      const { headers } = await forwardingScene({ a: answer }, { admitted }).forward(WHOLE)
      expect(headers).toContainEqual(['anthropic-ratelimit-unified-status', 'allowed_warning'])
      expect(headers).toContainEqual(['request-id', 'req_1'])
    }
  })

  test('that every backend failed is settled with the error that the client gets', async () => {
    const shown = forwardingScene({ a: OVERLOADED })
    expect(await readWhole(await shown.forward())).toMatchObject({ status: 529 })
    expect(shown.settled).toMatchObject([{ outcome: 'error', statusCode: 529, backend: 'a', costMicros: 0 }])
    const hidden = forwardingScene({ a: PAGE, b: PAGE })
    expect((await refusalOf(hidden.forward())).code).toBe('all_backends_failed')
    expect(hidden.settled).toMatchObject([{ outcome: 'error', statusCode: 502, backend: 'b', attempts: 2 }])
  })

  test('knows whether a backend answered in the interface of OpenAI', async () => {
    const native = { path: '/v1/chat/completions', headers: [], body: new Uint8Array(), only: false }
    const options = { backends: [backend('a', { speaksOpenAi: true })] }
    const { forward } = forwardingScene({ a: ANSWER }, { options })
    expect([(await forward({ native })).native, (await forward()).native]).toEqual([true, false])
    const { forward: toClaude } = forwardingScene({ a: ANSWER })
    expect((await toClaude({ native })).native).toBe(false)
    // An error that is all that there is, too.
    expect((await forwardingScene({ a: OVERLOADED }, { options }).forward({ native })).native).toBe(true)
  })
})

describe('a client that leaves before its answer', () => {
  const leaving = async (told: object, ms: number) => {
    const scene = forwardingScene({ a: silence })
    const stop = createStop()
    const sending = scene.forward({ ...told, signal: stop.signal })
    const gone = sending.catch((cause) => cause)
    await asked(scene)
    scene.clock.advance(ms)
    stop.abort(new Error())
    expect(await gone).toBeInstanceOf(ClientGone)
    return scene.settled
  }

  test('of a stream pays for its input', async () => {
    const body = new TextEncoder().encode('x'.repeat(400))
    expect(await leaving({ stream: true, body }, 5_000)).toMatchObject([
      { outcome: 'client_aborted', statusCode: 499, inputTokens: 100, outputTokens: 0, costMicros: 400 },
    ])
    expect(await leaving({ stream: false, streamsUpstream: true, body }, 5_000)).toMatchObject([
      { outputTokens: 0 },
    ])
  })

  test('pays nothing for a call that was sent nowhere', async () => {
    const scene = forwardingScene({ a: silence })
    const stop = createStop()
    stop.abort(new Error())
    for (const stream of [true, false]) {
      const gone = scene.forward({ stream, body: new Uint8Array(400), signal: stop.signal })
      expect(await gone.catch((cause) => cause)).toBeInstanceOf(ClientGone)
    }
    const nothing = {
      outcome: 'client_aborted',
      inputTokens: 0,
      costMicros: 0,
      estimated: false,
      attempts: 0,
    }
    expect(scene.settled).toMatchObject([nothing, nothing])
    expect(scene.upstream.asked).toEqual([])
  })

  test('of a whole answer pays for what Claude has written until then', async () => {
    const told = { stream: false, maxTokens: 1_000 }
    expect(await leaving(told, 5_001)).toMatchObject([{ outcome: 'client_aborted', outputTokens: 401 }])
    expect(await leaving(told, 50_000)).toMatchObject([{ outputTokens: 1_000 }])
    expect(await leaving({ ...told, maxTokens: undefined }, 50_000)).toMatchObject([{ outputTokens: 4_000 }])
  })
})

describe('a whole answer that comes too late', () => {
  test('is refused, and paid for as far as Claude has written it', async () => {
    const scene = forwardingScene({ a: silence })
    const refusal = refusalOf(scene.forward({ stream: false, maxTokens: undefined }))
    await asked(scene)
    scene.clock.advance(600_000)
    expect(await refusal).toMatchObject({
      code: 'upstream_timeout',
      message: 'Claude did not finish its answer in time. Please stream long answers.',
    })
    expect(scene.settled).toMatchObject([{ outcome: 'error', statusCode: 504, outputTokens: 48_000 }])
  })

  test('is shown as the upstream tells it', async () => {
    const { forward, settled } = forwardingScene({ a: errorOf(504, 'timeout_error') })
    const reply = await forward(WHOLE)
    expect([reply.native, (await readWhole(reply)).text]).toMatchObject([
      false,
      expect.stringContaining('timeout_error'),
    ])
    expect(settled).toHaveLength(1)
  })
})

describe('a call that only counts tokens', () => {
  test('is neither reserved nor settled', async () => {
    const { forwardFree, reserved, settled } = forwardingScene({ a: { body: '{"input_tokens":5}' } })
    expect(await readWhole(await forwardFree(WHOLE))).toMatchObject({
      status: 200,
      text: '{"input_tokens":5}',
    })
    expect([reserved, settled]).toEqual([[], []])
  })

  test('tells nothing of limits, whatever its answer', async () => {
    const { forwardFree, settled } = forwardingScene({ a: OVERLOADED })
    const { headers, status } = await forwardFree(WHOLE)
    expect(status).toBe(529)
    expect(headers.some(([name]) => name.startsWith('anthropic-ratelimit'))).toBe(false)
    expect(settled).toEqual([])
  })

  test('waits for its first byte, and teaches nothing', async () => {
    const scene = forwardingScene({ a: silence })
    const refusal = refusalOf(scene.forwardFree(WHOLE))
    await asked(scene)
    scene.clock.advance(60_000)
    expect((await refusal).code).toBe('upstream_timeout')
    expect(scene.balancer.memory.local.size()).toBe(0)
  })

  test('ends with its client', async () => {
    const stop = createStop()
    stop.abort(new Error())
    const gone = forwardingScene({ a: ANSWER }).forwardFree({ signal: stop.signal })
    await expect(gone).rejects.toBeInstanceOf(ClientGone)
  })
})

test('a stream is metered as one, and a whole answer as such', async () => {
  const streamed = forwardingScene({
    a: {
      headers: SSE_TYPE,
      body: [
        'event: message_start\ndata: {"message":{"usage":{"input_tokens":3}}}\n\n',
        'event: message_delta\ndata: {"usage":{"output_tokens":4}}\n\n',
        'event: message_stop\ndata: {}\n\n',
      ],
    },
  })
  await readWhole(await streamed.forward())
  expect(streamed.settled).toMatchObject([
    { outcome: 'ok', inputTokens: 3, outputTokens: 4, costMicros: 3 * 4 + 4 * 20 },
  ])
})
