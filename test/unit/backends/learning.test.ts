import { describe, expect, test } from 'vitest'
import { NOBODY } from '../../../core/backends/health.ts'
import type { Verdict } from '../../../core/calls/verdict.ts'
import { ANN, BOB, OPUS, SONNET } from '../../support/backends.ts'
import { A, CUT, FAILED, learningScene, PAIR, REFUSED, SERVED, UNPAID } from '../../support/learning.ts'

const CALLERS: Verdict = { kind: 'callers' }
const UNREACHABLE: Verdict = { kind: 'account_unreachable', reason: 'network error (ECONNREFUSED)' }

describe('a failure', () => {
  test('that the backend tells of is known to all processes', () => {
    const { learn, shared, local } = learningScene()
    learn(FAILED)
    expect([shared.get(PAIR)?.failures.length, local.size()]).toEqual([1, 0])
  })

  test('of this process’s own connection is its own', () => {
    const { learn, shared, local } = learningScene()
    learn(CUT)
    expect([shared.size(), local.get(PAIR)?.failures.length]).toEqual([0, 1])
  })

  test('that takes the model out is logged, once', () => {
    const { eject, learn, logger } = learningScene()
    eject()
    learn(FAILED)
    expect(logger.lines).toEqual([
      {
        level: 'warn',
        event: 'backend.state',
        fields: { backend: 'a', model: OPUS, state: 'ejected', reason: 'answered 529' },
      },
    ])
  })

  test('of the half-open call lengthens the wait of what was out: the model, the account or both', () => {
    const { eject, learn, learning, shared, clock, settled } = learningScene()
    learning.checked(A, { kind: 'refused', reason: 'x', forGood: false })
    clock.advance(60_000)
    learn(FAILED, { trial: true })
    expect(shared.get('a')).toMatchObject({ strikes: 1, until: clock.now() + 120_000 })
    // The model itself failed once, and no more.
    expect(shared.get(PAIR)).toMatchObject({ state: 'healthy', failures: [{}] })
    eject(SONNET)
    learn(FAILED, { trial: true, model: SONNET, person: 7 })
    expect(shared.get(`a ${SONNET}`)?.strikes).toBe(1)
    return settled()
  })

  test('of any other call does not', () => {
    const { learn, learning, shared } = learningScene()
    learning.checked(A, { kind: 'refused', reason: 'x', forGood: false })
    learn(FAILED)
    expect(shared.get('a')?.strikes).toBe(0)
  })
})

describe('a success', () => {
  test('makes model and account healthy for this process and all others', () => {
    const { learn, eject, learning, stateOf, local, clock, memory } = learningScene()
    learning.checked(A, { kind: 'down', reason: 'x' })
    learning.checked(A, { kind: 'refused', reason: 'x', forGood: false })
    eject(OPUS)
    eject(OPUS, CUT)
    const sentAt = clock.now()
    clock.advance(5)
    learn(SERVED, { sentAt })
    const states = [stateOf(PAIR), stateOf('a'), stateOf(PAIR, local), stateOf('a', local)]
    expect(states).toEqual(['healthy', 'healthy', 'healthy', 'healthy'])
    expect(memory.servedAt.get('a')).toBe(clock.now())
  })

  test('of a call that was sent before says nothing', () => {
    const { learn, eject, stateOf, clock } = learningScene()
    eject(OPUS)
    learn(SERVED, { sentAt: clock.now() - 1 })
    expect(stateOf(PAIR)).toBe('ejected')
  })

  test('makes no record of what was always well', () => {
    const { learn, shared, local } = learningScene()
    learn(SERVED)
    expect([shared.size(), local.size()]).toEqual([0, 0])
  })

  test('is logged with the new state alone', () => {
    const { learn, eject, logger } = learningScene()
    eject()
    logger.lines.length = 0
    learn(SERVED)
    expect(logger.lines.map(({ fields }) => fields)).toEqual([
      { backend: 'a', model: OPUS, state: 'healthy', reason: undefined },
    ])
  })
})

describe('an answer that is the caller’s own fault', () => {
  test('proves that the address can be reached, and nothing about the model', () => {
    const { learn, eject, stateOf, local, learning } = learningScene()
    learning.checked(A, { kind: 'down', reason: 'x' })
    eject(OPUS)
    learn(CALLERS)
    expect([stateOf('a', local), stateOf(PAIR)]).toEqual(['healthy', 'ejected'])
  })

  test.each([
    ['proves to the half-open call that the credential works', true, REFUSED, 'healthy'],
    ['proves nothing to any other call', false, REFUSED, 'disabled'],
    ['does not prove that the account can pay', true, UNPAID, 'disabled'],
  ] as const)('%s', (_, trial, denial, state) => {
    const { learn, learning, stateOf } = learningScene()
    learning.disable(A, denial)
    learn(CALLERS, { trial })
    expect(stateOf('a')).toBe(state)
  })

  test('makes no record of what was always well', () => {
    const { learn, shared, local } = learningScene()
    learn(CALLERS, { trial: true })
    expect([shared.size(), local.size()]).toEqual([0, 0])
  })
})

describe('an address that cannot be reached', () => {
  test('is out for this process after five failures of anybody, which is told once', () => {
    const { learn, stateOf, local, outages, shared } = learningScene()
    for (let i = 0; i < 4; i++) learn(UNREACHABLE)
    expect(stateOf('a', local)).toBe('healthy')
    learn(UNREACHABLE)
    learn(UNREACHABLE)
    expect([stateOf('a', local), shared.size()]).toEqual(['ejected', 0])
    expect(outages).toEqual([{ backend: 'a', state: 'ejected', reason: 'network error (ECONNREFUSED)' }])
    expect(local.get('a')?.failures[0]?.person).toBe(NOBODY)
  })

  test('waits for longer when the half-open call meets it again', () => {
    const { learn, local, clock } = learningScene()
    for (let i = 0; i < 5; i++) learn(UNREACHABLE)
    clock.advance(30_000)
    learn(UNREACHABLE, { trial: true })
    expect(local.get('a')).toMatchObject({ strikes: 1, until: clock.now() + 60_000 })
  })
})

describe('a refused credential or an account that cannot pay', () => {
  test.each([REFUSED, UNPAID])('says nothing by itself ($kind)', (verdict) => {
    const { learn, shared } = learningScene()
    learn(verdict, { trial: true })
    expect(shared.size()).toBe(0)
  })

  test('lengthens the wait of an account that is out already, for the half-open call alone', () => {
    const { learn, learning, shared, clock, outages } = learningScene()
    learning.disable(A, REFUSED)
    const first = shared.get('a')?.until ?? 0
    clock.advance(60_000)
    learn(REFUSED)
    expect(shared.get('a')?.until).toBe(first)
    learn(REFUSED, { trial: true, person: BOB })
    expect(shared.get('a')).toMatchObject({ until: clock.now() + 120_000, failedBy: BOB })
    expect(outages).toHaveLength(1)
  })

  test('puts the account out when a call of our own confirmed it, which is told once', () => {
    const { learning, shared, outages, clock } = learningScene()
    learning.disable(A, { ...UNPAID, resetAt: clock.now() + 86_400_000 })
    learning.disable(A, REFUSED)
    expect(outages).toEqual([{ backend: 'a', state: 'disabled', reason: 'answered 402', unpaid: true }])
    expect(shared.get('a')?.until).toBe(clock.now() + 86_400_000)
  })
})

describe('a request to wait', () => {
  test('is kept until it says', () => {
    const { learn, shared, clock } = learningScene()
    learn({ kind: 'pair_cooldown', reason: 'answered 429', untilMs: clock.now() + 7_000 })
    expect(shared.get(PAIR)).toMatchObject({ state: 'cooling_down', until: clock.now() + 7_000 })
  })

  test('that may concern one person is only doubted, until a second one hears it', () => {
    const { learn, shared, stateOf } = learningScene()
    const vague: Verdict = { kind: 'pair_cooldown', reason: 'answered 429', untilMs: undefined }
    learn(vague)
    learn(vague)
    expect([stateOf(PAIR), shared.get(PAIR)?.doubts[0]]).toMatchObject([
      'healthy',
      { what: 'rate', person: ANN },
    ])
    learn(vague, { person: BOB })
    expect(shared.get(PAIR)).toMatchObject({ state: 'cooling_down', reason: 'answered 429' })
  })
})

test('a model that is said not to be offered is checked by a call of our own', () => {
  const { learn, checked, shared } = learningScene()
  learn({ kind: 'model_not_offered', reason: 'answered 403' }, { person: BOB })
  expect([checked, shared.size()]).toEqual([[[A, OPUS, BOB]], 0])
})

test.each(['foreign', 'ours'] as const)('what is %s teaches nothing', (kind) => {
  const { learn, shared, local } = learningScene()
  learn({ kind, reason: 'x' }, { trial: true })
  expect([shared.size(), local.size()]).toEqual([0, 0])
})
