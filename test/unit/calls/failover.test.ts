import { describe, expect, test } from 'vitest'
import type { Confirmation } from '../../../core/backends/confirm.ts'
import { createStop } from '../../../core/stop.ts'
import { ANN, BOB, backend, OPUS } from '../../support/backends.ts'
import { FAILED } from '../../support/balancing.ts'
import {
  type Answer,
  errorOf,
  failoverScene,
  NO_NETWORK,
  NOT_OFFERED,
  OVERLOADED,
  REFUSED,
  SERVED,
  statusOf,
  UNPAID,
  UNREACHABLE,
} from '../../support/failover.ts'
import { silence } from '../../support/port-upstream.ts'
import { refusalOf } from '../../support/refusals.ts'

describe('a call', () => {
  test('goes to one backend where that one answers', async () => {
    const { send, tried } = failoverScene({ a: SERVED, b: SERVED })
    expect(await send()).toMatchObject({
      kind: 'answered',
      callers: false,
      selection: { backend: { name: 'a' } },
    })
    expect(tried).toEqual(['a'])
  })

  test.each<[string, Answer]>([
    ['is overloaded', OVERLOADED],
    ['cannot be reached', UNREACHABLE],
    ['refuses our credential', REFUSED],
    ['cannot pay', UNPAID],
    ['does not offer the model', NOT_OFFERED],
    ['is behind a proxy that refuses', { status: 403, body: 'blocked' }],
  ])('goes to the next backend when one %s', async (_, answer) => {
    const { send, tried, logger } = failoverScene({ a: answer, b: SERVED })
    expect(await send()).toMatchObject({ kind: 'answered', selection: { backend: { name: 'b' } } })
    expect(tried).toEqual(['a', 'b'])
    const failed = logger.lines.filter(({ event }) => event === 'call.attempt_failed')
    expect(failed).toEqual([
      {
        level: 'warn',
        event: 'call.attempt_failed',
        fields: { id: 'req_1', backend: 'a', reason: expect.any(String) },
      },
    ])
  })

  test('that the caller has to mend goes nowhere else', async () => {
    const { send, tried } = failoverScene({ a: errorOf(400, 'invalid_request_error'), b: SERVED })
    expect(await send()).toMatchObject({ kind: 'answered', callers: true })
    expect(tried).toEqual(['a'])
  })

  test('is sent to as many backends as are configured, and to each once', async () => {
    const all = { a: OVERLOADED, b: OVERLOADED, c: OVERLOADED, d: SERVED }
    const few = failoverScene(all, { maxAttempts: 2 })
    expect(statusOf(await few.send())).toBe(529)
    expect(few.tried).toEqual(['a', 'b'])
    const many = failoverScene(all, { maxAttempts: 9 })
    expect(statusOf(await many.send())).toBe('answered')
    expect(many.tried).toEqual(['a', 'b', 'c', 'd'])
  })

  test('counts as under way while it is, and no longer', async () => {
    const { send, balancer } = failoverScene({ a: OVERLOADED, b: SERVED })
    const served = await send()
    expect(balancer.views().map(({ inFlight }) => inFlight)).toEqual([0, 1])
    if (served.kind === 'answered') served.selection.done(undefined)
    expect(balancer.views().map(({ inFlight }) => inFlight)).toEqual([0, 0])
  })

  test('belongs to the person and the conversation that it came from', async () => {
    const { send, balancer } = failoverScene({ a: SERVED, b: SERVED })
    const conversation = { id: '1 x', cacheLifeMs: 300_000 }
    const served = await send({ conversation })
    if (served.kind === 'answered') served.selection.firstByte()
    balancer.adjust('a', { weight: 0 })
    expect(await send({ conversation })).toMatchObject({ selection: { backend: { name: 'a' } } })
    expect(await send()).toMatchObject({ selection: { backend: { name: 'b' } } })
  })
})

describe('when all backends fail', () => {
  test.each<[string, Record<string, Answer>, string | number]>([
    ['the last answer that may be shown', { a: OVERLOADED, b: errorOf(500, 'api_error') }, 500],
    ['an earlier one, if the last may not', { a: OVERLOADED, b: { status: 403, body: 'blocked' } }, 529],
    ['an earlier one, if the last has none', { a: OVERLOADED, b: UNREACHABLE }, 529],
    ['an earlier one, if the last is a redirect', { a: OVERLOADED, b: { status: 302, body: 'x' } }, 529],
    ['that the model is not there', { a: NOT_OFFERED }, 404],
  ])('the client gets %s', async (_, answers, status) => {
    expect(statusOf(await failoverScene(answers).send())).toBe(status)
  })

  test.each<[string, Answer]>([
    ['the company’s credential', REFUSED],
    ['the company’s account', UNPAID],
    ['what the account is not offered', errorOf(403, 'permission_error')],
    ['a proxy', { status: 403, body: 'blocked' }],
    ['the network', UNREACHABLE],
  ])('the client never sees an answer about %s', async (_, answer) => {
    const { send } = failoverScene(
      { a: answer, b: answer },
      { backends: [backend('a'), backend('b'), backend('c')] },
    )
    const refusal = await refusalOf(failoverScene({ a: answer, b: SERVED }, { maxAttempts: 1 }).send())
    expect(refusal).toMatchObject({
      code: 'all_backends_failed',
      message: 'All upstreams failed (1 attempted). Please try again.',
    })
    expect((await refusalOf(send())).code).toBe('all_backends_failed')
  })

  test('it says how many were tried', async () => {
    const page: Answer = { status: 502, headers: [['content-type', 'text/html']], body: '<html>' }
    expect((await refusalOf(failoverScene({ a: page, b: page }).send())).message).toContain('(2 attempted)')
  })

  test('and the call could go nowhere else, it says that the account is not there', async () => {
    const page: Answer = { status: 502, headers: [['content-type', 'text/html']], body: '<html>' }
    const expected = { code: 'account_unavailable', retryAfterMs: 30_000 }
    for (const answer of [page, REFUSED, UNREACHABLE]) {
      const refusal = await refusalOf(failoverScene({ a: SERVED, b: answer }).send({ boundTo: 'b' }))
      expect(refusal).toMatchObject(expected)
      expect(refusal.message).toContain('The account that holds what this call names')
    }
  })
})

describe('a machine without a network', () => {
  test('tries nothing else, and blames no backend', async () => {
    const { send, tried, balancer } = failoverScene({ a: NO_NETWORK, b: SERVED })
    const refusal = await refusalOf(send())
    expect(refusal).toMatchObject({ code: 'network_unavailable', retryAfterMs: 5_000 })
    expect(refusal.message).toContain('The gateway cannot reach any upstream.')
    expect(tried).toEqual(['a'])
    expect(balancer.memory.local.size()).toBe(0)
  })

  test('is found where no backend can be reached', async () => {
    const { send } = failoverScene({ a: UNREACHABLE, b: UNREACHABLE })
    expect((await refusalOf(send())).code).toBe('network_unavailable')
  })
})

describe('a client that leaves', () => {
  test('ends the call, and says nothing about the backend', async () => {
    const { send, tried, balancer, upstream } = failoverScene({ a: silence, b: SERVED })
    const stop = createStop()
    const sending = send({ signal: stop.signal })
    await expect.poll(() => upstream.asked.length).toBe(1)
    stop.abort(new Error())
    expect(await sending).toEqual({ kind: 'client_gone' })
    expect([tried, balancer.views()[0]?.inFlight, balancer.memory.local.size()]).toEqual([['a'], 0, 0])
  })
})

describe('an account that refuses or cannot pay', () => {
  test.each([
    ['account_refused', REFUSED],
    ['account_unpaid', UNPAID],
  ])('is confirmed by a call of our own (%s)', async (kind, answer) => {
    const { send, confirmed } = failoverScene({ a: answer, b: SERVED })
    await send()
    expect(confirmed).toEqual([`a ${OPUS} ${kind}`])
  })

  test('that is disabled already is not confirmed again', async () => {
    const { send, confirmed, balancer, clock } = failoverScene({ a: REFUSED })
    balancer.disable(backend('a'), { kind: 'account_refused', reason: 'x' })
    clock.advance(60_000)
    expect((await refusalOf(send({ boundTo: 'a' }))).code).toBe('account_unavailable')
    expect(confirmed).toEqual([])
  })

  test.each<[string, Answer, Confirmation, string | number]>([
    ['shows its answer where the account can pay after all', UNPAID, 'passed', 402],
    ['shows nothing where it cannot', UNPAID, 'confirmed', 'all_backends_failed'],
    ['shows nothing where nobody can tell', UNPAID, 'unknown', 'all_backends_failed'],
    ['never shows an answer about a credential', REFUSED, 'passed', 'all_backends_failed'],
  ])('with no other backend left, %s', async (_, answer, confirmation, expected) => {
    const { send } = failoverScene({ a: answer }, { confirmation })
    if (typeof expected === 'number') expect(statusOf(await send())).toBe(expected)
    else expect((await refusalOf(send())).code).toBe(expected)
  })

  test('gives way to an answer of another backend that may be shown', async () => {
    const { send } = failoverScene({ a: OVERLOADED, b: UNPAID }, { confirmation: 'passed' })
    expect(statusOf(await send())).toBe(529)
  })
})

describe('a call that counts tokens', () => {
  const counting = { countsTokens: true, stream: false }

  test('teaches nothing about messages', async () => {
    const { send, confirmed, balancer } = failoverScene({ a: UNPAID, b: OVERLOADED })
    await send(counting)
    expect([confirmed, balancer.memory.shared.size(), balancer.memory.local.size()]).toEqual([[], 0, 0])
    expect(balancer.views().map(({ inFlight }) => inFlight)).toEqual([0, 0])
  })

  test('teaches that an address cannot be reached', async () => {
    const { send, balancer } = failoverScene({ a: UNREACHABLE, b: SERVED })
    await send(counting)
    expect(balancer.memory.local.get('a')?.failures).toHaveLength(1)
  })

  test('tells nothing of the room for messages', async () => {
    const headers: [string, string][] = [
      ['anthropic-ratelimit-requests-limit', '100'],
      ['anthropic-ratelimit-requests-remaining', '1'],
    ]
    const { send, tried } = failoverScene({ a: { ...SERVED, headers }, b: SERVED })
    await send(counting)
    await send()
    await send()
    expect(tried).toEqual(['a', 'a', 'b'])
  })

  test('keeps no refusal for others', async () => {
    const { send, balancer } = failoverScene({ a: OVERLOADED })
    await send(counting)
    expect(balancer.memory.tries.kept([`a ${OPUS}`])).toBeUndefined()
  })
})

test('a limit of fast mode says nothing of calls at the usual speed', async () => {
  const limited = errorOf(429, 'rate_limit_error')
  const { send, tried, balancer } = failoverScene({
    a: { ...limited, headers: [['retry-after', '30']] },
    b: SERVED,
  })
  await send({ fast: true })
  expect([tried, balancer.memory.shared.size()]).toEqual([['a', 'b'], 0])
  expect(balancer.memory.tries.kept([`a ${OPUS}`])).toBeUndefined()
  await send()
  expect(balancer.memory.shared.get(`a ${OPUS}`)?.state).toBe('cooling_down')
})

test('a failure in fast mode says of all calls what another would', async () => {
  const { send, balancer } = failoverScene({ a: OVERLOADED, b: SERVED })
  await send({ fast: true })
  expect(balancer.memory.shared.get(`a ${OPUS}`)?.failures).toHaveLength(1)
})

test('a failure is that of the person who called', async () => {
  const { send, balancer, call: other } = failoverScene({ a: OVERLOADED })
  await other(FAILED, { person: BOB })
  await send()
  const people = balancer.memory.shared.get(`a ${OPUS}`)?.failures.map(({ person }) => person)
  expect(people).toEqual([BOB, ANN])
})
