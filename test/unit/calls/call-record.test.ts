import { describe, expect, test } from 'vitest'
import type { MadeObject } from '../../../core/db/objects.ts'
import { createPeriods } from '../../../core/limits/period.ts'
import { NOT_BOOKED } from '../../../core/record.ts'
import { ANN, OPUS } from '../../support/backends.ts'
import { forwardingScene } from '../../support/forwarding.ts'
import { billed, NONE } from '../../support/usage-streams.ts'

const BODY = new TextEncoder().encode('x'.repeat(400))
const MADE: MadeObject[] = [{ kind: 'container', id: 'c1', expiresAt: 5 }]

const DONE = { outcome: 'ok', status: 200 } as const

function sentScene() {
  const { open, settled } = forwardingScene({})
  const openSent = (told: Parameters<typeof open>[0]) => {
    const record = open(told)
    record.sentTo('a')
    return record
  }
  return { openSent, settled }
}

describe('the record of a call', () => {
  test('begins with its input, as far as the size of its body tells', () => {
    const { open, clock } = forwardingScene({})
    const { admission } = open({ body: BODY, requestedModel: 'fast', stream: false })
    expect(admission.begun).toEqual({
      id: 'req_1',
      userId: ANN,
      keyId: 7,
      requestedModel: 'fast',
      model: OPUS,
      backend: '',
      inputTokens: 100,
      outputTokens: 0,
      cacheReadTokens: 0,
      cacheWrite5mTokens: 0,
      cacheWrite1hTokens: 0,
      costMicros: 400,
      statusCode: 499,
      outcome: 'interrupted',
      estimated: true,
      unpriced: false,
      stream: false,
      attempts: 0,
      latencyMs: 0,
      ttftMs: null,
      extra: null,
      createdAt: clock.now(),
      promptLosses: [],
      madeObjects: [],
      limits: [],
      ...NOT_BOOKED,
      client: 'other',
      inputMicros: 400,
      contextWindow: '0-200k',
      periodStarts: createPeriods('UTC').startsAt(clock.now()),
    })
    expect(open({ model: 'nobody-knows' }).admission.begun.unpriced).toBe(true)
  })

  test('holds the most that the call may cost', () => {
    const { worst, usual } = forwardingScene({}).open({ body: BODY, maxTokens: 50 }).admission
    expect([worst, usual]).toEqual([
      { tokens: 150, costMicros: 1_400 },
      { tokens: 150, costMicros: 1_400 },
    ])
  })

  test('ends with what was used, summed over its parts and priced', () => {
    const { open, settled, clock } = forwardingScene({})
    const record = open({ body: BODY })
    record.sentTo('a')
    record.sentTo('b')
    clock.advance(500.4)
    record.firstByte(clock.elapsed())
    record.firstByte(clock.elapsed() + 1_000)
    clock.advance(1_000)
    const tokens = { input: 1, output: 2, cacheRead: 4, cacheWrite5m: 8, cacheWrite1h: 16 }
    const losses = [{ kind: 'cache_miss', reason: 'other', blocks: 0, tokens: 0 }] as const
    const twice = billed(tokens, { extra: '{"a":1}', promptLosses: losses })
    twice.parts.push({ model: 'claude-haiku-5-5', tokens: { ...NONE, ...tokens } })
    record.settle({ ...DONE, usage: twice })
    expect(settled).toMatchObject([
      {
        outcome: 'ok',
        statusCode: 200,
        backend: 'b',
        attempts: 2,
        ttftMs: 500,
        latencyMs: 1_500,
        inputTokens: 2,
        outputTokens: 4,
        cacheReadTokens: 8,
        cacheWrite5mTokens: 16,
        cacheWrite1hTokens: 32,
        extra: '{"a":1}',
        estimated: false,
        unpriced: false,
        promptLosses: losses,
        madeObjects: [],
      },
    ])
    expect(settled[0]?.costMicros).toBeGreaterThan(0)
  })

  test('ends with nothing where nothing was used', () => {
    const { open, settled } = forwardingScene({})
    open({ body: BODY, model: 'nobody-knows' }).settle({ outcome: 'error', status: 502, usage: undefined })
    expect(settled).toMatchObject([
      { inputTokens: 0, outputTokens: 0, costMicros: 0, estimated: false, unpriced: false, statusCode: 502 },
    ])
  })

  test('takes the input from the size of the body where the answer never told it', () => {
    const { open, settled } = forwardingScene({})
    open({ body: BODY }).settle({ ...DONE, usage: billed({ output: 3 }, { inputUnknown: true }) })
    open({ body: BODY }).settle({ ...DONE, usage: billed({}, { inputUnknown: true, parts: [] }) })
    expect(settled).toMatchObject([
      { inputTokens: 100, outputTokens: 3, estimated: true, costMicros: 100 * 4 + 3 * 20 },
      { inputTokens: 0, costMicros: 0, estimated: false },
    ])
  })

  test('takes the output as it was estimated, where no usage came', () => {
    const { openSent, settled } = sentScene()
    const end = { outcome: 'error', status: 504, usage: undefined, estimatedOutput: 30 } as const
    openSent({ body: BODY }).settle(end)
    openSent({ body: BODY }).settle({ outcome: 'client_aborted', status: 499, usage: undefined })
    openSent({ body: BODY }).settle({ outcome: 'client_aborted', status: 200, usage: billed({ input: 1 }) })
    expect(settled).toMatchObject([
      { inputTokens: 100, outputTokens: 30, costMicros: 1_000, estimated: true },
      { inputTokens: 100, outputTokens: 0, costMicros: 400, estimated: true },
      { inputTokens: 1, costMicros: 4, estimated: false },
    ])
  })

  test('tells the parts of its cost, however it ends', () => {
    const { openSent, settled } = sentScene()
    const usage = billed(
      { input: 150_000, output: 10, cacheRead: 60_000, cacheWrite5m: 7 },
      { webSearches: 2, serviceTier: 'priority', speed: 'fast', geo: 'eu', fast: true },
    )
    openSent({ client: 'codex', project: 'web' }).settle({ ...DONE, usage })
    openSent({ body: BODY }).settle({ ...DONE, outcome: 'client_aborted', usage: undefined })
    openSent({ body: BODY }).settle({ ...DONE, usage: undefined, estimatedOutput: 33 })
    openSent({ body: BODY }).settle({ ...DONE, outcome: 'error', usage: undefined })
    for (const record of settled) {
      const { inputMicros, outputMicros, cacheReadMicros, cacheWrite5mMicros, cacheWrite1hMicros } = record
      const caches = cacheReadMicros + cacheWrite5mMicros + cacheWrite1hMicros
      expect(inputMicros + outputMicros + caches + record.serverToolMicros).toBe(record.costMicros)
    }
    expect(settled).toMatchObject([
      {
        client: 'codex',
        project: 'web',
        webSearches: 2,
        serverToolMicros: 20_000,
        serviceTier: 'priority',
        speed: 'fast',
        geo: 'eu',
        contextWindow: '200k-1M',
      },
      { inputMicros: 400, outputMicros: 0, contextWindow: '0-200k', client: 'other' },
      { inputMicros: 400, contextWindow: '0-200k' },
      { costMicros: 0, inputMicros: 0, contextWindow: '' },
    ])
    expect(settled[0]?.savedMicros).toBeGreaterThan(0)
    expect(settled[2]?.outputMicros).toBeGreaterThan(0)
  })

  test('is noted as interrupted while its answer still flows', () => {
    const { open, updated, settled, remembered } = forwardingScene({})
    const record = open()
    record.sentTo('a')
    record.update(200, billed({ input: 1, output: 2 }), MADE)
    record.update(200, billed({ input: 1 }))
    expect(updated).toMatchObject([
      { outcome: 'interrupted', statusCode: 200, inputTokens: 1, outputTokens: 2, madeObjects: MADE },
      { madeObjects: [] },
    ])
    expect(settled).toEqual([])
    expect(remembered).toEqual([{ owner: { userId: ANN, backend: 'a' }, made: MADE }])
  })

  test('is waited for only where its answer made something, or may be continued', async () => {
    const settling = Promise.resolve()
    const { open, pending, remembered } = forwardingScene({}, { settling })
    expect(open().settle({ ...DONE, usage: billed({}) })).toBeUndefined()
    expect(open().settle({ ...DONE, usage: billed({}), made: MADE })).toBe(settling)
    expect(open({ mayPause: true }).settle({ ...DONE, usage: billed({}) })).toBe(settling)
    expect([pending, remembered.length]).toEqual([[settling, settling, settling], 1])
    const quick = forwardingScene({})
    expect(quick.open().settle({ ...DONE, usage: billed({}), made: MADE })).toBeUndefined()
    expect(quick.pending).toEqual([])
  })

  test('is logged in one line', () => {
    const { open, logger, clock } = forwardingScene({})
    const record = open({ body: BODY })
    record.sentTo('a')
    clock.advance(7)
    record.firstByte(clock.elapsed())
    record.settle({
      ...DONE,
      usage: billed({ input: 1, output: 2, cacheRead: 3, cacheWrite5m: 4, cacheWrite1h: 5 }),
    })
    const cost = expect.any(Number)
    expect(logger.lines).toEqual([
      {
        level: 'info',
        event: 'call.done',
        fields: {
          id: 'req_1',
          user: 'ann',
          key: 'sk-ann',
          model: OPUS,
          backend: 'a',
          status: 200,
          outcome: 'ok',
          input: 1,
          output: 2,
          cache_read: 3,
          cache_write: 9,
          cost_usd: cost,
          estimated: undefined,
          attempts: 1,
          ttft_ms: 7,
          latency_ms: 7,
        },
      },
    ])
    open().settle({ ...DONE, usage: billed({}, { estimated: true }) })
    expect(logger.lines.at(-1)?.fields.estimated).toBe(true)
  })
})
