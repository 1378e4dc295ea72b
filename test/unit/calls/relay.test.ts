import { describe, expect, test } from 'vitest'
import type { Call } from '../../../core/calls/call.ts'
import { PING } from '../../../core/sse/ping.ts'
import { createStop } from '../../../core/stop.ts'
import { ANN, backend, OPUS } from '../../support/backends.ts'
import type { Answer } from '../../support/failover.ts'
import { forwardingScene, readWhole } from '../../support/forwarding.ts'
import { type PlainAnswer, SSE_TYPE } from '../../support/port-upstream.ts'
import { end, frame, STARTED, start, stop, text } from '../../support/usage-streams.ts'

const PAIR = `a ${OPUS}`
const STREAM = [start(STARTED), text('hello'), end({ output_tokens: 7 }), stop]
const ERROR = frame('error', { error: { type: 'overloaded_error', message: 'm' } })
const MESSAGE = JSON.stringify({ type: 'message', content: [], usage: { input_tokens: 1, output_tokens: 2 } })
const streaming = (...body: string[]): PlainAnswer => ({ headers: SSE_TYPE, body })

/** One call to its end; `given` as in forwardingScene. */
async function relayed(
  answer: Answer,
  told: Partial<Call> = {},
  given: Parameters<typeof forwardingScene>[1] = {},
) {
  const scene = forwardingScene({ a: answer }, given)
  const read = await readWhole(await scene.forward(told))
  const health = scene.balancer.memory
  return { ...scene, ...read, failures: health.local.get(PAIR)?.failures.length ?? 0, health }
}

/** A stream that comes when the test says so. */
function slowly() {
  const scene = forwardingScene({ a: streaming(STREAM[0] ?? '') })
  let write: (chunk: string | Uint8Array) => void | Promise<void> = () => {}
  const done = Promise.withResolvers<void>()
  const send = scene.upstream.send
  Object.assign(scene.upstream, {
    send: async (...all: Parameters<typeof send>) => {
      const [, signal] = all
      signal.addEventListener('abort', () => done.reject(signal.reason))
      const reply = await send(...all)
      return {
        ...reply,
        pipe: async (sink: Parameters<typeof reply.pipe>[0]) => {
          write = (chunk) => sink.write(typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk)
          // As of a driver: what stops the exchange ends it, also while the client does not read.
          await Promise.race([write(STREAM[0] ?? ''), done.promise])
          await done.promise
        },
      }
    },
  })
  return { ...scene, write: (chunk: string | Uint8Array) => write(chunk), finish: () => done.resolve() }
}

describe('an answer', () => {
  test('is handed on byte for byte, with the headers that a client may see', async () => {
    const scene = forwardingScene({ a: { headers: [...SSE_TYPE, ['x-internal', '1']], body: STREAM } })
    const reply = await scene.forward()
    expect(reply.headers).toContainEqual(['request-id', 'req_1'])
    expect(reply.headers.some(([name]) => name === 'x-internal')).toBe(false)
    expect(await readWhole(reply)).toEqual({ status: 200, text: STREAM.join(''), error: undefined })
  })

  test('is settled before its last byte leaves', async () => {
    const scene = forwardingScene({ a: streaming(...STREAM) })
    const before: number[] = []
    await readWhole(await scene.forward(), { write: () => void before.push(scene.settled.length) })
    expect(before).toEqual([0, 0, 0, 1])
    expect(scene.settled).toMatchObject([
      { outcome: 'ok', statusCode: 200, inputTokens: 10, outputTokens: 7 },
    ])
  })

  test('has its usage noted once, as soon as that is final', async () => {
    const { updated } = await relayed(streaming(start(STARTED), end({ output_tokens: 7 }), text('x'), stop))
    expect(updated).toMatchObject([{ outcome: 'interrupted', statusCode: 200, outputTokens: 7 }])
  })

  test('serves its conversation and proves its backend well', async () => {
    const scene = forwardingScene({ a: streaming(...STREAM) })
    scene.balancer.memory.local.record(PAIR, {
      kind: 'failed',
      at: scene.clock.now() - 1,
      person: ANN,
      alone: false,
      trial: false,
      reason: 'x',
    })
    await readWhole(await scene.forward({ conversation: { id: 'c', cacheLifeMs: 5 } }))
    expect(scene.balancer.memory.local.get(PAIR)?.failures).toEqual([])
    expect(scene.balancer.memory.firstByteAt.has(PAIR)).toBe(true)
    expect(scene.balancer.views()[0]?.inFlight).toBe(0)
  })

  test('tells how long its first byte took', async () => {
    const scene = slowly()
    const reply = await scene.forward({ startedAt: -1_500 })
    const reading = readWhole(reply)
    scene.clock.advance(2_000)
    await scene.write(STREAM.slice(1).join(''))
    scene.finish()
    await reading
    expect(scene.settled).toMatchObject([{ ttftMs: 1_500, latencyMs: 3_500 }])
  })

  test('that is whole is metered as such', async () => {
    const { settled, text: body } = await relayed(
      { body: [MESSAGE.slice(0, 9), MESSAGE.slice(9)] },
      { stream: false },
    )
    expect(body).toBe(MESSAGE)
    expect(settled).toMatchObject([{ outcome: 'ok', inputTokens: 1, outputTokens: 2 }])
  })

  test.each([
    ['whole', { body: JSON.stringify({ choices: [], usage: { prompt_tokens: 4, completion_tokens: 5 } }) }],
    [
      'a stream',
      streaming(
        `data: ${JSON.stringify({ usage: { prompt_tokens: 4, completion_tokens: 5 } })}\n\n`,
        'data: [DONE]\n\n',
      ),
    ],
  ])('of a backend that speaks OpenAI’s interface is metered in it (%s)', async (_, answer) => {
    const native = { path: '/v1/chat/completions', headers: [], body: new Uint8Array(), only: false }
    const options = { backends: [backend('a', { speaksOpenAi: true })] }
    const { settled } = await relayed(answer, { native }, { options })
    expect(settled).toMatchObject([{ outcome: 'ok', inputTokens: 4, outputTokens: 5 }])
  })

  test('costs what the model costs that took over, where the request names fallbacks', async () => {
    const content = [{ type: 'fallback', from: { model: OPUS }, to: { model: 'claude-haiku-4-5' } }]
    const answer = { ...JSON.parse(MESSAGE), content }
    const costOf = async (told: Partial<Call>) =>
      (await relayed({ body: answer }, told)).settled[0]?.costMicros
    expect(await costOf({ stream: false })).toBe(1 * 4 + 2 * 20)
    expect(await costOf({ stream: false, uses: new Map([['fallbacks', 'fallbacks']]) })).toBe(1 * 1 + 2 * 5)
  })

  test('that is an error of the caller’s is settled as one, and says nothing else', async () => {
    const error = { type: 'error', error: { type: 'invalid_request_error', message: 'm' } }
    const { settled, failures, balancer } = await relayed({ status: 400, body: error })
    expect(settled).toMatchObject([{ outcome: 'error', statusCode: 400, costMicros: 0, ttftMs: 0 }])
    expect([failures, balancer.memory.firstByteAt.size]).toEqual([0, 0])
  })

  test('waits with its last byte until what it made is stored', async () => {
    const settling = Promise.withResolvers<void>()
    const scene = forwardingScene({ a: streaming(...STREAM) }, { settling: settling.promise })
    const container = { id: 'c1', expires_at: '2026-12-01T00:00:00Z' }
    const made = frame('message_delta', { delta: { container }, usage: { output_tokens: 7 } })
    const making = forwardingScene(
      { a: streaming(start(STARTED), made, stop) },
      { settling: settling.promise },
    )
    const plain = await readWhole(await scene.forward())
    expect(plain.text).toBe(STREAM.join(''))
    let got = ''
    const reading = readWhole(await making.forward({ makes: { thread: false, message: false } }), {
      write: (chunk) => {
        got += new TextDecoder().decode(chunk)
      },
    })
    await expect.poll(() => making.settled.length).toBe(1)
    expect(got).not.toContain('message_stop')
    settling.resolve()
    await reading
    expect(got).toContain('message_stop')
    expect(making.settled[0]?.madeObjects).toMatchObject([{ kind: 'container', id: 'c1' }])
    expect(making.remembered.at(-1)?.owner).toEqual({ userId: ANN, backend: 'a' })
    expect(making.pending).toHaveLength(1)
  })
})

describe('an answer that breaks off', () => {
  test.each<[string, PlainAnswer]>([
    ['without its end', streaming(start(STARTED), text('hello'))],
    ['with a fault of the network', { ...streaming(start(STARTED), text('hello')), cut: new Error('reset') }],
  ])('%s is settled with what came, and counts against its backend', async (_, answer) => {
    const { settled, failures } = await relayed(answer)
    expect(settled).toMatchObject([
      { outcome: 'upstream_cut', estimated: true, inputTokens: 10, outputTokens: 2 },
    ])
    expect(failures).toBe(1)
  })

  test('tells why', async () => {
    const ended = await relayed(streaming(start(STARTED)))
    expect(ended.health.local.get(PAIR)?.reason).toBe('ended before message_stop')
    const cut = await relayed({ ...streaming(start(STARTED)), cut: new Error('reset') })
    expect(cut.health.local.get(PAIR)?.reason).toBe('cut its answer')
    expect(cut.error).toEqual(new Error('reset'))
  })

  test('after its end is complete, and counts against its backend', async () => {
    const { settled, failures } = await relayed({ ...streaming(...STREAM), cut: new Error('reset') })
    expect(settled).toMatchObject([{ outcome: 'ok' }])
    expect(failures).toBe(1)
  })

  test('in the middle of its last event counts that event', async () => {
    const { settled } = await relayed(streaming(...STREAM.slice(0, 3), stop.trimEnd()))
    expect(settled).toMatchObject([{ outcome: 'ok', outputTokens: 7 }])
  })
})

describe('a stream that ends in an error', () => {
  test('of the upstream’s own making counts against it', async () => {
    const { settled, health } = await relayed(streaming(start(STARTED), ERROR))
    expect(settled).toMatchObject([{ outcome: 'error', statusCode: 200 }])
    expect(health.shared.get(PAIR)).toMatchObject({ failures: [{}], reason: 'streamed overloaded_error' })
  })

  test('of the caller’s does not', async () => {
    const error = frame('error', { error: { type: 'invalid_request_error', message: 'm' } })
    const { settled, health } = await relayed(streaming(start(STARTED), error))
    expect(settled).toMatchObject([{ outcome: 'error' }])
    expect(health.shared.size()).toBe(0)
  })
})

describe('a stream that falls silent', () => {
  test('is stopped after the idle time, and counts against its backend', async () => {
    const scene = slowly()
    const reading = readWhole(await scene.forward())
    scene.clock.advance(50_000)
    await scene.write(text('x'))
    scene.clock.advance(89_999)
    expect(scene.settled).toEqual([])
    scene.clock.advance(1)
    expect((await reading).error).toEqual(new Error('silent for too long'))
    expect(scene.settled).toMatchObject([{ outcome: 'upstream_cut', outputTokens: 1 }])
    expect(scene.balancer.memory.local.get(PAIR)?.reason).toBe('silent for too long')
  })

  test('is not silent while it comes, however long it takes', async () => {
    const scene = slowly()
    const reading = readWhole(await scene.forward())
    for (let chunk = 0; chunk < 10; chunk += 1) {
      scene.clock.advance(89_999)
      await scene.write(text('x'))
    }
    await scene.write(STREAM.slice(2).join(''))
    scene.finish()
    expect((await reading).error).toBeUndefined()
    expect(scene.settled).toMatchObject([{ outcome: 'ok' }])
  })

  test('is silent although we ping its client', async () => {
    const scene = slowly()
    const reading = readWhole(await scene.forward())
    scene.clock.advance(89_999)
    await scene.write(PING)
    scene.clock.advance(1)
    expect((await reading).error).toEqual(new Error('silent for too long'))
  })

  test('because its client does not read is the client’s', async () => {
    const scene = slowly()
    const reading = readWhole(await scene.forward(), { write: () => new Promise(() => {}) })
    scene.clock.advance(90_000)
    expect((await reading).error).toEqual(new Error('silent for too long'))
    expect(scene.settled).toMatchObject([{ outcome: 'client_aborted' }])
    expect(scene.balancer.memory.local.size()).toBe(0)
  })

  test('is watched no longer once it has ended', async () => {
    const scene = slowly()
    const reading = readWhole(await scene.forward())
    await scene.write(STREAM.slice(1).join(''))
    scene.finish()
    await reading
    scene.clock.advance(3_600_000)
    expect(scene.settled).toMatchObject([{ outcome: 'ok' }])
    expect(scene.balancer.memory.local.size()).toBe(0)
  })
})

describe('a client that leaves', () => {
  test.each(['request', 'response'])(
    'as its %s tells stops the upstream, and blames nobody',
    async (told) => {
      const scene = slowly()
      const client = createStop()
      const reply = await scene.forward(told === 'request' ? { signal: client.signal } : {})
      const reading = readWhole(reply, told === 'response' ? { left: client.signal } : {})
      await scene.write(text('hello'))
      client.abort(new Error())
      expect((await reading).error).toEqual(new Error('client left'))
      expect(scene.settled).toMatchObject([{ outcome: 'client_aborted', inputTokens: 10, outputTokens: 2 }])
      expect(scene.balancer.memory.local.size()).toBe(0)
    },
  )

  test('before the first byte stops the upstream as well', async () => {
    const scene = slowly()
    const client = createStop()
    const reply = await scene.forward({ signal: client.signal })
    client.abort(new Error())
    expect((await readWhole(reply)).error).toEqual(new Error('client left'))
    expect(scene.settled).toMatchObject([{ outcome: 'client_aborted' }])
  })

  test('as a write tells is settled so', async () => {
    const scene = forwardingScene({ a: streaming(...STREAM) })
    const { error } = await readWhole(await scene.forward(), {
      write: () => Promise.reject(new Error('gone')),
    })
    expect(error).toEqual(new Error('gone'))
    expect(scene.settled).toMatchObject([{ outcome: 'client_aborted' }])
    expect(scene.balancer.memory.local.size()).toBe(0)
  })

  test('during an error is settled as an error', async () => {
    const scene = forwardingScene({
      a: { status: 400, body: { error: { type: 'invalid_request_error', message: 'm' } } },
    })
    await readWhole(await scene.forward(), { write: () => Promise.reject(new Error('gone')) })
    expect(scene.settled).toMatchObject([{ outcome: 'error', statusCode: 400 }])
  })

  test('and is slow at times is not taken for one that left', async () => {
    const scene = forwardingScene({ a: streaming(start(STARTED)) })
    await readWhole(await scene.forward(), { write: () => Promise.resolve() })
    expect(scene.settled).toMatchObject([{ outcome: 'upstream_cut' }])
  })
})

test('a call that only counts tokens is handed on without being looked into', async () => {
  const scene = forwardingScene({ a: { body: '{"input_tokens":5}' } })
  await readWhole(await scene.forwardFree({ stream: false }))
  expect([scene.settled, scene.balancer.memory.firstByteAt.size]).toEqual([[], 0])
  expect(scene.balancer.views()[0]?.inFlight).toBe(0)
})
