import { describe, expect, test } from 'vitest'
import { ConnectError } from '../../../core/backends/network.ts'
import { attempt } from '../../../core/calls/attempt.ts'
import type { Call } from '../../../core/calls/call.ts'
import type { HeaderPairs } from '../../../core/ports.ts'
import type { Backend, Settings } from '../../../core/settings.ts'
import { createStop, type StopSignal } from '../../../core/stop.ts'
import { backend } from '../../support/backends.ts'
import { call } from '../../support/call.ts'
import { fakeClock } from '../../support/clock.ts'
import { JSON_TYPE, type PlainAnswer, portUpstream, SSE_TYPE, silence } from '../../support/port-upstream.ts'

const KEY = 'sk-ant-secret-of-the-company'
const A = backend('a', { url: 'https://a.test/base', apiKey: KEY })
const OPENAI = { ...A, speaksOpenAi: true }
const NATIVE = {
  path: '/v1/chat/completions',
  body: new TextEncoder().encode('native'),
  headers: [['accept', '*/*']] satisfies HeaderPairs,
  only: false,
}
const errorBody = (type: string, message = 'm') => ({ type: 'error', error: { type, message } })
const START = 'event: message_start\ndata: {}\n\n'
const PAGE: HeaderPairs = [['content-type', 'text/html']]
const OVERLOADED = JSON.stringify(errorBody('overloaded_error'))
const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)

function setUp(answer: PlainAnswer | ((signal: StopSignal) => PlainAnswer | Promise<PlainAnswer>)) {
  const clock = fakeClock()
  const upstream = portUpstream((_, signal) => (typeof answer === 'function' ? answer(signal) : answer))
  const retry = { firstByteTimeoutMs: 60_000, wholeAnswerTimeoutMs: 600_000 }
  const settings = { retry } as unknown as Settings // what an attempt reads of them
  const send = (given: Partial<Call> = {}, to: Backend = A) =>
    attempt({ clock, settings, upstream }, call(given), to)
  return { clock, upstream, send }
}
const attempted = (answer: PlainAnswer, given: Partial<Call> = {}) => setUp(answer).send(given)

/** Sends a call that nothing answers, lets time pass, and tells whether it has ended then. */
async function endAfter(given: Partial<Call>, ms: number, to: Backend = A) {
  const { clock, upstream, send } = setUp(silence)
  const sending = send(given, to)
  await expect.poll(() => upstream.asked.length).toBe(1)
  clock.advance(ms - 1)
  const before = await Promise.race([sending, new Promise((resolve) => setImmediate(resolve, 'waits'))])
  clock.advance(1)
  return [before, await sending]
}

describe('a request to a backend', () => {
  test('has the bytes of the caller, the path below the backend’s and its credential', async () => {
    const { upstream, send } = setUp({ body: '{}' })
    const body = new TextEncoder().encode('{"model":"m"}')
    await send({ path: '/v1/messages?beta=true', headers: [['accept', '*/*']], body })
    expect(upstream.asked).toEqual([
      {
        origin: 'https://a.test',
        method: 'POST',
        path: '/base/v1/messages?beta=true',
        headers: [
          ['accept', '*/*'],
          ['x-api-key', KEY],
        ],
        body,
      },
    ])
  })

  test('is the one of OpenAI where the call came so and the backend speaks it', async () => {
    const { upstream, send } = setUp({ body: '{}' })
    await send({ native: NATIVE, headers: [['anthropic-version', '2023-06-01']] }, OPENAI)
    expect(upstream.asked).toEqual([
      {
        origin: 'https://a.test',
        method: 'POST',
        path: '/base/v1/chat/completions',
        headers: [
          ['accept', '*/*'],
          ['authorization', `Bearer ${KEY}`],
        ],
        body: NATIVE.body,
      },
    ])
  })

  test.each([
    ['the backend does not', { native: NATIVE }, A],
    ['the call came otherwise', {}, OPENAI],
  ])('is Claude’s where %s', async (_, given, to) => {
    const { upstream, send } = setUp({ body: '{}' })
    await send(given, to)
    expect(upstream.asked[0]?.path).toBe('/base/v1/messages')
  })
})

describe('an answer', () => {
  test('that is served is handed on as it came', async () => {
    const result = await attempted({ body: ['{"a":', '1}'], headers: JSON_TYPE })
    expect(result).toMatchObject({
      kind: 'answered',
      callers: false,
      reply: { status: 200, headers: JSON_TYPE },
    })
    expect(result.kind === 'answered' && textOf(result.reply.first)).toBe('{"a":')
  })

  test('that is the caller’s own fault is handed on as a whole', async () => {
    const given = JSON.stringify(errorBody('invalid_request_error'))
    const result = await attempted({ status: 400, body: [given.slice(0, 10), given.slice(10)] })
    expect(result).toMatchObject({
      kind: 'answered',
      callers: true,
      reply: { status: 400, headers: JSON_TYPE },
    })
    if (result.kind !== 'answered') return
    const got: string[] = []
    await result.reply.pipe({ write: (chunk) => void got.push(textOf(chunk)) })
    expect([textOf(result.reply.first), got]).toEqual([given, [given]])
  })

  test('that fails is kept with its status, headers and body', async () => {
    const result = await attempted({ status: 529, body: OVERLOADED })
    expect(result).toMatchObject({
      kind: 'failed',
      late: false,
      verdict: { kind: 'pair_failed', reason: 'answered 529' },
      kept: { status: 529, headers: JSON_TYPE },
    })
    expect(result.kind === 'failed' && textOf(result.kept?.body)).toBe(OVERLOADED)
  })

  test.each([
    [true, 'the backend speaks the interface of the call', { native: NATIVE }, OPENAI],
    [undefined, 'the backend does not', { native: NATIVE }, A],
    [undefined, 'the call came otherwise', {}, OPENAI],
  ])('that fails is kept as native: %s, where %s', async (native, _, given, to) => {
    const result = await setUp({ status: 529, body: OVERLOADED }).send(given, to)
    expect(result.kind === 'failed' && result.kept?.native).toBe(native)
  })

  test.each<[string, PlainAnswer]>([
    ['a web page', { status: 502, headers: PAGE, body: '<html>' }],
    ['longer than 256 KiB', { status: 500, body: 'x'.repeat(256 * 1024 + 1) }],
    ['of a status that HTTP does not know', { status: 600, body: 'x' }],
    ['a redirect', { status: 302, body: 'x' }],
  ])('that fails and is %s is not kept', async (_, answer) => {
    expect(await attempted(answer)).toMatchObject({ kind: 'failed', kept: undefined, late: false })
  })

  test('of 256 KiB is kept', async () => {
    const result = await attempted({ status: 500, body: 'x'.repeat(256 * 1024) })
    expect(result.kind === 'failed' && result.kept?.body.length).toBe(256 * 1024)
  })

  test('that fails is given up, so that its connection is free', async () => {
    const { upstream, send } = setUp({ headers: PAGE, body: '<html>' })
    expect(await send()).toMatchObject({ kind: 'failed', kept: undefined })
    expect(upstream.cancelled).toBe(1)
  })

  test('that quotes the credential never shows it', async () => {
    const quoting = JSON.stringify(errorBody('api_error', `bad key ${KEY}`))
    const hidden = quoting.replace(KEY, '*'.repeat(KEY.length))
    const whole = await attempted({ status: 500, headers: [...JSON_TYPE, ['x-key', KEY]], body: quoting })
    expect(whole).toMatchObject({ kept: { headers: JSON_TYPE } })
    expect(whole.kind === 'failed' && textOf(whole.kept?.body)).toBe(hidden)
    const streamed = await attempted({ headers: SSE_TYPE, body: `event: error\ndata: ${quoting}\n\n` })
    expect(streamed.kind === 'failed' && textOf(streamed.kept?.body)).toBe(hidden)
  })
})

describe('a whole answer of status 200', () => {
  test.each([
    [OVERLOADED, 529],
    [JSON.stringify(errorBody('overloaded_error'), null, 2), 529],
    ['{"error":{"message":"m","type":"server_error","code":"x"}}', 500],
    // The proxy that made it broke off.
    ['{"type":"error","error":{"ty', 500],
  ])(
    'that is an error is the one that it should have been, in however many pieces: %j',
    async (text, status) => {
      for (const pieces of [[text], [text.slice(0, 20), text.slice(20)]]) {
        expect(await attempted({ body: pieces })).toMatchObject({
          kind: 'failed',
          verdict: { kind: 'pair_failed', reason: `answered ${status}` },
          kept: { status },
        })
      }
    },
  )

  test('that is the caller’s own fault reaches the caller with the status of its type', async () => {
    const result = await attempted({ body: JSON.stringify(errorBody('invalid_request_error')) })
    expect(result).toMatchObject({ kind: 'answered', callers: true, reply: { status: 400 } })
  })

  test.each([
    '{"type":"message","content":[{"type":"text","text":"{\\"type\\":\\"error\\"}"}]}',
    '{"id":"resp_1","object":"response","error":null}',
    '{"error":null,"output":[]}',
  ])('that only speaks of errors is served: %j', async (body) => {
    expect(await attempted({ body })).toMatchObject({
      kind: 'answered',
      callers: false,
      reply: { status: 200 },
    })
  })
})

describe('a stream', () => {
  test('that begins as streams do is handed on at once', async () => {
    const result = await attempted({ headers: SSE_TYPE, body: [START, 'rest'] })
    expect(result).toMatchObject({ kind: 'answered', callers: false })
    expect(result.kind === 'answered' && textOf(result.reply.first)).toBe(START)
  })

  test.each([
    `: hello\nevent: error\ndata: ${OVERLOADED}\n\n`,
    // The name that the standard gives an event without one.
    `event: message\ndata: ${OVERLOADED}\n\n`,
  ])('is judged by its first event, in however many pieces that comes: %j', async (event) => {
    const result = await attempted({ headers: SSE_TYPE, body: [...event] })
    expect(result).toMatchObject({
      kind: 'failed',
      verdict: { kind: 'pair_failed', reason: 'streamed overloaded_error' },
      kept: { status: 529, headers: JSON_TYPE },
      late: false,
    })
    expect(result.kind === 'failed' && textOf(result.kept?.body)).toBe(OVERLOADED)
  })

  test('whose beginning was held back is handed on with it', async () => {
    const result = await attempted({ headers: SSE_TYPE, body: [': hello\n\n', START, 'rest'] })
    if (result.kind !== 'answered') throw new Error(result.kind)
    const got: string[] = []
    await result.reply.pipe({ write: (chunk) => void got.push(textOf(chunk)) })
    expect(got.join('')).toBe(`: hello\n\n${START}rest`)
  })

  test('that opens with the caller’s own fault is the caller’s', async () => {
    const event = `event: error\ndata: ${JSON.stringify(errorBody('invalid_request_error'))}\n\n`
    expect(await attempted({ headers: SSE_TYPE, body: event })).toMatchObject({
      kind: 'answered',
      callers: true,
    })
  })

  test('of another type is not looked into', async () => {
    const event = `event: error\ndata: ${OVERLOADED}\n\n`
    expect(await attempted({ body: event })).toMatchObject({ kind: 'answered' })
  })

  test('that fails without an error of its own keeps nothing', async () => {
    expect(await attempted({ status: 302, headers: SSE_TYPE, body: START })).toMatchObject({
      kept: undefined,
    })
  })
})

describe('a call that nobody answers', () => {
  test('fails after the time for a first byte', async () => {
    const failed = {
      kind: 'failed',
      verdict: { kind: 'pair_failed', reason: 'no first byte in time', fromNetwork: true },
      kept: undefined,
      late: true,
    }
    expect(await endAfter({ stream: true }, 60_000)).toEqual(['waits', failed])
    expect(await endAfter({ stream: false, countsTokens: true }, 60_000)).toEqual(['waits', failed])
    expect(await endAfter({ stream: false, streamsUpstream: true }, 60_000)).toEqual(['waits', failed])
  })

  test('and that waits for a whole answer is late after the time for one', async () => {
    const late = { kind: 'whole_answer_late', byCaller: false, kept: undefined }
    expect(await endAfter({ stream: false }, 600_000)).toEqual(['waits', late])
    expect(await endAfter({ stream: false, clientTimeoutMs: 600_000 }, 600_000)).toEqual(['waits', late])
  })

  test('and was to be short, but for our sake as a whole, fails when even a slow Claude would have written it', async () => {
    const failed = { kind: 'failed', verdict: { kind: 'pair_failed', fromNetwork: true }, late: true }
    const short = { stream: false, streamsUpstream: false }
    const ofTokens = (maxTokens: number, ms: number) => endAfter({ ...short, maxTokens }, ms)
    expect(await ofTokens(100, 65_000)).toMatchObject(['waits', failed])
    expect(await ofTokens(4_096, 264_800)).toMatchObject(['waits', failed])
    expect(await ofTokens(1_000_000, 600_000)).toMatchObject(['waits', failed])
  })

  test('is late when its caller would not wait for longer', async () => {
    const late = { kind: 'whole_answer_late', byCaller: true, kept: undefined }
    expect(await endAfter({ stream: false, clientTimeoutMs: 9_000 }, 9_000)).toEqual(['waits', late])
  })

  test('waits as the interface says in which it is sent', async () => {
    const native = { native: NATIVE, stream: false, streamsUpstream: true }
    const [, toOpenAi] = await endAfter(native, 600_000, OPENAI)
    const [, toClaude] = await endAfter(native, 60_000, A)
    expect([toOpenAi, toClaude]).toMatchObject([{ kind: 'whole_answer_late' }, { kind: 'failed' }])
  })

  test('is late by its upstream’s own word', async () => {
    const answer = { status: 504, body: errorBody('timeout_error') }
    expect(await attempted(answer, { stream: false })).toMatchObject({
      kind: 'whole_answer_late',
      byCaller: false,
      kept: { status: 504 },
    })
    expect(await attempted(answer, { stream: true })).toMatchObject({ kind: 'failed', late: false })
  })

  test.each([true, false])('waits five seconds for the rest of an error (streamed: %s)', async (stream) => {
    let stopped: unknown
    const clock = fakeClock()
    const retry = { firstByteTimeoutMs: 60_000, wholeAnswerTimeoutMs: 600_000 }
    const settings = { retry } as unknown as Settings // as above
    const upstream = portUpstream(() => ({}))
    const begun = Promise.withResolvers<void>()
    const hanging: typeof upstream = {
      ...upstream,
      send: async (_, signal) => ({
        status: 500,
        headers: [],
        first: undefined,
        pipe: () => {
          begun.resolve()
          return silence(signal).catch((cause) => {
            stopped = cause
            throw cause
          })
        },
        cancel() {},
      }),
    }
    const sending = attempt({ clock, settings, upstream: hanging }, call({ stream }), A)
    await begun.promise
    clock.advance(4_999)
    expect(stopped).toBeUndefined()
    clock.advance(1)
    expect(await sending).toMatchObject({ kind: 'failed', late: true })
  })
})

describe('a call that reaches nobody', () => {
  test('says what the network said', async () => {
    const { send } = setUp(() => Promise.reject(new ConnectError(new Error())))
    expect(await send()).toEqual({
      kind: 'failed',
      verdict: { kind: 'account_unreachable', reason: 'network error (ConnectError)' },
      kept: undefined,
      late: false,
    })
  })

  test('in the middle of an error says so', async () => {
    expect(await attempted({ status: 500, body: 'x', cut: new Error() })).toMatchObject({
      kind: 'failed',
      verdict: { kind: 'pair_failed', fromNetwork: true },
    })
  })
})

describe('a client that leaves', () => {
  test('while the call waits stops it', async () => {
    const left = new Error('client left')
    let reason: unknown
    const { upstream, send } = setUp((signal) =>
      silence(signal).catch((cause) => {
        reason = cause
        throw cause
      }),
    )
    const stop = createStop()
    const sending = send({ signal: stop.signal })
    await expect.poll(() => upstream.asked.length).toBe(1)
    stop.abort(left)
    expect(await sending).toEqual({ kind: 'client_gone' })
    expect(reason).toBe(left)
  })

  test('once the answer has begun is no longer of this attempt, and no timer is', async () => {
    const { clock, send } = setUp({ headers: SSE_TYPE, body: START })
    const client = createStop()
    const result = await send({ signal: client.signal })
    client.abort(new Error())
    clock.advance(3_600_000)
    expect(result.kind === 'answered' && result.stop.signal.aborted).toBe(false)
  })
})
