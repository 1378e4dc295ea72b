import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { changeBackend, checkBackend } from '../../../core/backends/manage.ts'
import { secretsSet } from '../../../core/backends/view.ts'
import { auditEvents } from '../../../core/db/schema.ts'
import type { Backend } from '../../../core/settings.ts'
import { ANN, BOB, backend, HAIKU, OPUS, SONNET } from '../../support/backends.ts'
import { balancing, FAILED } from '../../support/balancing.ts'
import { memoryStore, type OpenedStore } from '../../support/memory-store.ts'
import { refusalOf } from '../../support/refusals.ts'

const WELL = {
  state: 'healthy',
  disabledBy: undefined,
  reason: '',
  failures: 0,
  since: 0,
  until: 0,
}
const setUp = (...backends: Backend[]) => {
  const scene = balancing(backends)
  const viewOf = (name = 'a') => scene.balancer.views().find((view) => view.backend.name === name)
  return { ...scene, viewOf, now: scene.clock.now() }
}

test.each([
  ['', []],
  ['""', []],
  ['"platform"', []],
  ['{"service_account":"{}"}', ['credentials']],
])('credentials of %j are a secret only where they are its own', (credentials, set) => {
  expect(secretsSet({ ...backend('a'), apiKey: '', credentials })).toEqual(set)
})

describe('a backend as people see it', () => {
  test('is healthy while nothing is known of it', () => {
    const { viewOf } = setUp(backend('a'))
    expect(viewOf()).toEqual({ ...WELL, backend: backend('a'), inFlight: 0, models: [] })
  })

  test('shows its models that are not well, by name, and no others’', async () => {
    const { viewOf, call, eject } = setUp(backend('a'), backend('b'))
    await eject('a', OPUS)
    await eject('a', HAIKU)
    await eject('b', SONNET)
    expect(viewOf()?.models.map(({ model, state }) => [model, state])).toEqual([
      [HAIKU, 'ejected'],
      [OPUS, 'ejected'],
    ])
    expect(await call(FAILED, { boundTo: 'a', model: SONNET })).toBeUndefined()
  })

  test('shows how often and why a model fails, and for how long it is out', async () => {
    const { viewOf, call, eject, clock, now } = setUp(backend('a'))
    await call(FAILED, { person: ANN })
    await call(FAILED, { person: BOB })
    const failing = { ...WELL, model: OPUS, state: 'failing', reason: 'answered 529', failures: 2 }
    expect(viewOf()?.models).toEqual([failing])
    clock.advance(59_999)
    expect(viewOf()?.models).toHaveLength(1)
    clock.advance(1)
    expect(viewOf()?.models).toEqual([])
    await eject('a')
    expect(viewOf()?.models).toEqual([
      { ...failing, state: 'ejected', failures: 5, since: now + 60_000, until: now + 90_000 },
    ])
    clock.advance(30_000)
    expect(viewOf()?.models).toMatchObject([{ state: 'half_open' }])
  })

  test('shows a half-open call that is under way', async () => {
    const { viewOf, select, eject, clock } = setUp(backend('a'))
    await eject('a')
    clock.advance(30_000)
    await select({ person: 9 })
    expect(viewOf()?.models).toMatchObject([{ state: 'half_open' }])
  })

  test('shows until when a model cools down, and why', async () => {
    const { viewOf, call, now, clock } = setUp(backend('a'))
    await call({ kind: 'pair_cooldown', reason: 'answered 429', untilMs: now + 7_000 })
    expect(viewOf()?.models).toEqual([
      { ...WELL, model: OPUS, state: 'cooling_down', reason: 'answered 429', since: now, until: now + 7_000 },
    ])
    clock.advance(7_000)
    expect(viewOf()?.models).toEqual([])
  })

  test('says nothing of a wait that is over', () => {
    const { viewOf, balancer, clock, now } = setUp(backend('a'))
    const { shared } = balancer.memory
    shared.record('a', { kind: 'cooldown', at: now, until: now + 5, reason: 'busy' })
    clock.advance(5)
    expect(viewOf()).toMatchObject({ state: 'healthy', reason: '', until: 0 })
    const failed = { kind: 'failed', person: ANN, alone: false, trial: false, reason: 'x' } as const
    shared.record('a', { ...failed, at: now + 5 })
    shared.record('a', { kind: 'cooldown', at: now + 5, until: now + 9, reason: 'busy' })
    clock.advance(4)
    expect(viewOf()).toMatchObject({ state: 'failing', reason: 'busy', until: 0, failures: 1 })
  })

  test('is worse when a model is not offered than when it is out', () => {
    const { viewOf, balancer, now } = setUp(backend('a'))
    const { shared, local } = balancer.memory
    shared.record(`a ${OPUS}`, { kind: 'not_offered', at: now, reason: 'no' })
    local.record(`a ${OPUS}`, { kind: 'ejected', at: now, reason: 'out' })
    expect(viewOf()?.models).toMatchObject([{ state: 'unavailable', reason: 'no' }])
  })

  test.each([
    ['refused', { kind: 'account_refused', reason: 'answered 401' }, 60_000],
    ['unpaid', { kind: 'account_unpaid', reason: 'answered 402', resetAt: undefined }, 300_000],
  ] as const)('shows that its account is out because it is %s', (disabledBy, denial, ms) => {
    const { viewOf, balancer, now } = setUp(backend('a'))
    balancer.disable(backend('a'), denial)
    expect(viewOf()).toMatchObject({
      state: 'disabled',
      disabledBy,
      reason: denial.reason,
      since: now,
      until: now + ms,
    })
  })

  test('shows that it is switched off, whatever else is known', () => {
    const { viewOf, balancer } = setUp(backend('a'))
    balancer.disable(backend('a'), { kind: 'account_refused', reason: 'answered 401' })
    balancer.adjust('a', { enabled: false })
    expect(viewOf()).toMatchObject({
      state: 'disabled',
      disabledBy: 'switched_off',
      reason: 'switched off',
      until: 0,
    })
  })

  test('shows the worst of what is known here and elsewhere', async () => {
    const { viewOf, balancer } = setUp(backend('a'))
    const { shared, local } = balancer.memory
    const at = 1e13
    local.record('a', { kind: 'ejected', at, reason: 'down here' })
    shared.record('a', { kind: 'disabled', at, cause: 'refused', person: 0, reason: 'refused' })
    expect(viewOf()?.reason).toBe('refused')
    const there = setUp(backend('a'))
    there.balancer.memory.local.record('a', { kind: 'ejected', at, reason: 'down here' })
    there.balancer.memory.shared.record('a', { kind: 'cooldown', at, until: at + 5, reason: 'busy' })
    expect(there.viewOf()?.reason).toBe('down here')
  })
})

describe('an administrator', () => {
  let store: OpenedStore
  beforeAll(async () => {
    store = await memoryStore()
  })
  afterAll(() => store.close())

  function parts() {
    const { balancer, clock, stateOf } = setUp(backend('a', { weight: 3 }))
    return { db: store.db, clock, actor: COMMAND_LINE, balancer, stateOf }
  }
  const audited = async () => {
    const rows = await store.db.select().from(auditEvents)
    await store.db.delete(auditEvents)
    return rows.map(({ action, target, before, after }) => ({ action, target, before, after }))
  }

  test('switches a backend off and changes its weight, both of which are audited before', async () => {
    const given = parts()
    expect(await changeBackend(given, 'a', { enabled: false })).toMatchObject({
      state: 'disabled',
      backend: { enabled: false, weight: 3 },
    })
    expect((await changeBackend(given, 'a', { weight: 0, enabled: true })).backend).toMatchObject({
      enabled: true,
      weight: 0,
    })
    expect(await audited()).toMatchInlineSnapshot(`
      [
        {
          "action": "backend.update",
          "after": "{"enabled":false,"weight":3}",
          "before": "{"enabled":true,"weight":3}",
          "target": "backend:a",
        },
        {
          "action": "backend.update",
          "after": "{"enabled":true,"weight":0}",
          "before": "{"enabled":false,"weight":3}",
          "target": "backend:a",
        },
      ]
    `)
  })

  test('has a backend checked, which is audited', async () => {
    const given = parts()
    const checked: string[] = []
    const catalogue = { check: async ({ name }: Backend) => checked.push(name) > 0 }
    expect(await checkBackend({ ...given, catalogue }, 'a')).toMatchObject({ backend: { name: 'a' } })
    expect(checked).toEqual(['a'])
    expect(await audited()).toMatchObject([{ action: 'backend.check', target: 'backend:a' }])
  })

  test('can do nothing with a backend that is not there, and nothing is audited', async () => {
    const given = parts()
    const catalogue = { check: async () => true }
    expect(await refusalOf(changeBackend(given, 'x', { weight: 1 }))).toMatchObject({ code: 'not_found' })
    expect(await refusalOf(checkBackend({ ...given, catalogue }, 'x'))).toMatchObject({ code: 'not_found' })
    expect(await audited()).toEqual([])
  })
})
