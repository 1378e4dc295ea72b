import { describe, expect, test } from 'vitest'
import pricing from '../../../config/pricing.json' with { type: 'json' }
import { type AccountVerdict, createConfirm, isAccountVerdict } from '../../../core/backends/confirm.ts'
import { createPeriods } from '../../../core/limits/period.ts'
import type { CallRecord, Ledger } from '../../../core/ports.ts'
import { PriceList } from '../../../core/pricing/list.ts'
import { createPrices } from '../../../core/pricing/prices.ts'
import { NOT_BOOKED } from '../../../core/record.ts'
import type { Backend } from '../../../core/settings.ts'
import { ANN, backend, backendMemory, OPUS } from '../../support/backends.ts'
import { type PlainAnswer, portUpstream } from '../../support/port-upstream.ts'

const A = backend('a')
const REFUSED: AccountVerdict = { kind: 'account_refused', reason: 'answered 401' }
const UNPAID: AccountVerdict = { kind: 'account_unpaid', reason: 'answered 402', resetAt: undefined }
const MESSAGE = { type: 'message', content: [], usage: { input_tokens: 8, output_tokens: 1 } }
const errorBody = (type: string, message = 'm') => ({ type: 'error', error: { type, message } })
const REFUSAL: PlainAnswer = { status: 401, body: errorBody('authentication_error') }
const NO_MODEL: PlainAnswer = { status: 404, body: errorBody('not_found_error', 'model: x') }

/** `answer`: to each request in turn, the last one to all that follow. */
function setUp(
  answers: (PlainAnswer | Promise<PlainAnswer>)[],
  given: ReturnType<typeof backendMemory> = backendMemory(),
) {
  const { clock, logger, memory, waitUntil, settled } = given
  const upstream = portUpstream(() => (answers.length > 1 ? answers.shift() : answers[0]) ?? {})
  const records: CallRecord[] = []
  const disabled: [string, AccountVerdict][] = []
  const listings = new Map<string, string[]>()
  const confirm = createConfirm({
    upstream,
    clock,
    logger,
    memory,
    waitUntil,
    // All of a ledger that is used here.
    periods: createPeriods('UTC'),
    ledger: { settle: (record: CallRecord) => void records.push(record), respent() {} } as unknown as Ledger,
    prices: createPrices(PriceList.parse(pricing)),
    healthNameOf: (model) => (model.startsWith('claude-') ? model : 'other'),
    listed: ({ name }) => listings.get(name),
    disable: ({ name }: Backend, verdict) => void disabled.push([name, verdict]),
  })
  const stateOf = (key: string) => memory.shared.get(key)?.state
  return { confirm, upstream, clock, logger, memory, settled, records, disabled, listings, stateOf }
}

test('verdicts on an account are those that a call of our own confirms', () => {
  expect([REFUSED, UNPAID].map(isAccountVerdict)).toEqual([true, true])
  expect(isAccountVerdict({ kind: 'account_unreachable', reason: 'x' })).toBe(false)
})

describe('a verdict on an account', () => {
  test('is confirmed when the gateway’s own call meets it, and puts the account out', async () => {
    const { confirm, disabled, logger } = setUp([REFUSAL])
    expect(await confirm.account(A, OPUS, REFUSED)).toBe('confirmed')
    expect(disabled).toEqual([['a', REFUSED]])
    expect(logger.lines).toEqual([
      {
        level: 'info',
        event: 'backend.confirmed',
        fields: { backend: 'a', model: OPUS, confirmed: true, status: 401 },
      },
    ])
  })

  test('is confirmed by another one of its kind as well, which is the one that counts', async () => {
    const { confirm, disabled, logger } = setUp([{ status: 402, body: errorBody('billing_error') }])
    expect(await confirm.account(A, OPUS, REFUSED)).toBe('confirmed')
    expect(disabled).toEqual([['a', UNPAID]])
    expect(logger.lines[0]?.fields).toMatchObject({ confirmed: false })
  })

  test.each([
    ['is served', { body: MESSAGE }],
    ['is at fault itself', { status: 400, body: errorBody('invalid_request_error') }],
  ])('is about one call alone when the gateway’s own %s', async (_, answer) => {
    const { confirm, disabled } = setUp([answer])
    expect(await confirm.account(A, OPUS, REFUSED)).toBe('passed')
    expect(disabled).toEqual([])
  })

  test('stays open when the gateway’s own call fails otherwise', async () => {
    const { confirm, disabled } = setUp([{ status: 529, body: errorBody('overloaded_error') }])
    expect(await confirm.account(A, OPUS, REFUSED)).toBe('unknown')
    expect(disabled).toEqual([])
  })

  test('is asked about once for all who met it at the same time', async () => {
    const waiting = Promise.withResolvers<PlainAnswer>()
    const { confirm, upstream } = setUp([waiting.promise])
    const asked = [confirm.account(A, OPUS, REFUSED), confirm.account(A, OPUS, UNPAID)]
    waiting.resolve({ body: MESSAGE })
    expect(await Promise.all(asked)).toEqual(['passed', 'passed'])
    expect(upstream.asked).toHaveLength(1)
  })

  test('is asked about for each backend', async () => {
    const { confirm, upstream } = setUp([{ body: MESSAGE }])
    await Promise.all([confirm.account(A, OPUS, REFUSED), confirm.account(backend('b'), OPUS, REFUSED)])
    expect(upstream.asked.map(({ origin }) => origin)).toEqual(['https://a.test', 'https://b.test'])
  })

  test('is known not to hold for ten seconds after the account passed', async () => {
    const { confirm, upstream, clock } = setUp([{ body: MESSAGE }, REFUSAL])
    await confirm.account(A, OPUS, REFUSED)
    clock.advance(9_999)
    expect(await confirm.account(A, OPUS, REFUSED)).toBe('passed')
    expect(upstream.asked).toHaveLength(1)
    clock.advance(1)
    expect(await confirm.account(A, OPUS, REFUSED)).toBe('confirmed')
  })

  test('is asked about by one process in ten seconds', async () => {
    const here = setUp([{ status: 529, body: errorBody('overloaded_error') }])
    await here.confirm.account(A, OPUS, REFUSED)
    expect(await here.confirm.account(A, OPUS, REFUSED)).toBe('unknown')
    here.memory.shared.record('a', {
      kind: 'disabled',
      cause: 'refused',
      at: here.clock.now(),
      person: 0,
      reason: 'x',
    })
    expect(await here.confirm.account(A, OPUS, REFUSED)).toBe('confirmed')
    expect(here.upstream.asked).toHaveLength(1)
  })
})

describe('the gateway’s own call', () => {
  test('is recorded under no user, with what it cost', async () => {
    const { confirm, records, clock } = setUp([{ body: MESSAGE }])
    await confirm.account(A, OPUS, REFUSED)
    expect(records).toEqual([
      {
        id: expect.stringMatching(/^req_/),
        userId: -1,
        keyId: -1,
        requestedModel: OPUS,
        model: OPUS,
        backend: 'a',
        inputTokens: 8,
        outputTokens: 1,
        cacheReadTokens: 0,
        cacheWrite5mTokens: 0,
        cacheWrite1hTokens: 0,
        costMicros: 8 * 4 + 20,
        unpriced: false,
        statusCode: 200,
        outcome: 'ok',
        estimated: false,
        stream: false,
        attempts: 1,
        latencyMs: 0,
        ttftMs: null,
        extra: null,
        promptLosses: [],
        ...NOT_BOOKED,
        client: 'gateway',
        inputMicros: 32,
        outputMicros: 20,
        periodStarts: createPeriods('UTC').startsAt(clock.now()),
        createdAt: clock.now(),
      },
    ])
  })

  test('that fails is recorded as an error without cost', async () => {
    const { confirm, records } = setUp([REFUSAL])
    await confirm.account(A, OPUS, REFUSED)
    expect(records).toMatchObject([
      { statusCode: 401, outcome: 'error', costMicros: 0, inputTokens: 0, estimated: false, unpriced: false },
    ])
  })

  test('is read in the interface of its backend', async () => {
    const usage = { prompt_tokens: 9, completion_tokens: 1 }
    const { confirm, records } = setUp([{ body: { choices: [], usage } }])
    await confirm.account(backend('a', { speaksOpenAi: true }), OPUS, REFUSED)
    expect(records).toMatchObject([{ inputTokens: 9, outputTokens: 1 }])
  })

  test('takes as long as it takes', async () => {
    const given = backendMemory()
    const waiting = Promise.withResolvers<PlainAnswer>()
    const { confirm, records, upstream } = setUp([waiting.promise], given)
    const asking = confirm.account(A, OPUS, REFUSED)
    await expect.poll(() => upstream.asked.length).toBe(1)
    const startedAt = given.clock.now()
    given.clock.advance(1_234.4)
    waiting.resolve({ body: MESSAGE })
    await asking
    expect(records).toMatchObject([{ latencyMs: 1_234, createdAt: startedAt }])
  })

  test('that reached nobody is not recorded', async () => {
    const { confirm, records } = setUp([{ cut: new Error() }])
    expect(await confirm.account(A, OPUS, REFUSED)).toBe('unknown')
    expect(records).toEqual([])
  })
})

describe('a model that somebody was told is not offered', () => {
  const PAIR = `a ${OPUS}`

  test('is unavailable when the backend says so again', async () => {
    const { confirm, stateOf, logger, memory } = setUp([NO_MODEL])
    await confirm.model(A, OPUS, ANN)
    expect(stateOf(PAIR)).toBe('unavailable')
    expect(memory.shared.get(PAIR)?.reason).toBe('the account is not offered this model')
    expect(logger.lines).toEqual([
      { level: 'warn', event: 'backend.model_unavailable', fields: { backend: 'a', model: OPUS } },
    ])
  })

  test('is doubted, for this person, when the backend offers it', async () => {
    const { confirm, memory, stateOf } = setUp([{ body: { id: OPUS } }])
    await confirm.model(A, OPUS, ANN)
    expect(stateOf(PAIR)).toBe('healthy')
    expect(memory.shared.get(PAIR)?.doubts).toMatchObject([{ what: 'model', person: ANN }])
  })

  test('cools down for the reason of the doubt once two people were told', async () => {
    const { confirm, memory, clock } = setUp([{ body: { id: OPUS } }])
    await confirm.model(A, OPUS, ANN)
    clock.advance(10_000)
    await confirm.model(A, OPUS, ANN + 1)
    expect(memory.shared.get(PAIR)).toMatchObject({ state: 'cooling_down', reason: 'refused this model' })
  })

  test.each([
    ['its last list', ['claude-haiku-5-5'], [], 'unavailable'],
    ['its last list that has it', [OPUS], [], 'healthy'],
    ['a list read now', undefined, [{ body: { data: [{ id: 'claude-haiku-5-5' }] } }], 'unavailable'],
    ['a list read now that has it', undefined, [{ body: { data: [{ id: OPUS }] } }], 'healthy'],
    ['no list at all', undefined, [{ status: 404 }], 'healthy'],
  ])('is looked up in %s where nobody can be asked for one model', async (_, listed, more, state) => {
    const { confirm, stateOf, listings } = setUp([{ status: 500 }, ...more])
    if (listed) listings.set('a', listed)
    await confirm.model(A, OPUS, ANN)
    expect(stateOf(PAIR)).toBe(state)
  })

  test('is asked about once in ten seconds', async () => {
    const { confirm, upstream, clock } = setUp([{ body: { id: OPUS } }])
    await confirm.model(A, OPUS, ANN)
    await confirm.model(A, OPUS, ANN)
    expect(upstream.asked).toHaveLength(1)
    clock.advance(10_000)
    await confirm.model(A, OPUS, ANN)
    expect(upstream.asked).toHaveLength(2)
  })

  test('that nobody knows is not asked about', async () => {
    const { confirm, upstream, memory } = setUp([NO_MODEL])
    await confirm.model(A, 'invented', ANN)
    expect([upstream.asked.length, memory.shared.size()]).toEqual([0, 0])
  })
})
