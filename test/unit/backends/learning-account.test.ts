import { describe, expect, test } from 'vitest'
import { memoryHealth } from '../../../adapters/drivers/health/memory.ts'
import { ANN, BOB, HAIKU, OPUS, SONNET } from '../../support/backends.ts'
import { A, CUT, FAILED, learningScene, PAIR, SERVED } from '../../support/learning.ts'

describe('an account of which two models are out', () => {
  test('is out itself, which is told once', async () => {
    const { eject, stateOf, settled, outages, shared, clock } = learningScene()
    eject(OPUS)
    clock.advance(1)
    eject(SONNET)
    eject(HAIKU)
    await settled()
    expect(stateOf('a')).toBe('ejected')
    expect(shared.get('a')).toMatchObject({ reason: '2 models failed', cause: 'failures' })
    expect(outages).toEqual([{ backend: 'a', state: 'ejected', reason: '2 models failed' }])
  })

  test('is told of by the process that found it alone', async () => {
    const store = memoryHealth()
    const [here, there] = [learningScene({ store }), learningScene({ store })]
    for (const process of [here, there]) {
      process.eject(OPUS)
      process.eject(SONNET)
    }
    await Promise.all([here.settled(), there.settled()])
    await expect.poll(() => here.outages.length + there.outages.length).toBe(1)
  })

  test('is in for others when only this process’s connections failed', async () => {
    const { eject, stateOf, settled, local, outages } = learningScene()
    eject(OPUS, CUT)
    eject(SONNET, CUT)
    await settled()
    expect([stateOf('a'), stateOf('a', local), outages.length]).toEqual([undefined, 'ejected', 1])
  })

  test('stays in when any of its models served a call since the first of them was out', async () => {
    const { eject, learn, stateOf, settled, clock } = learningScene()
    learn(SERVED, { model: HAIKU })
    clock.advance(1)
    eject(OPUS)
    learn(SERVED, { model: HAIKU })
    eject(SONNET)
    await settled()
    expect(stateOf('a')).toBeUndefined()
  })

  test('is out when the last success of any was before', async () => {
    const { eject, learn, stateOf, settled, clock } = learningScene()
    learn(SERVED, { model: HAIKU })
    clock.advance(1)
    eject(OPUS)
    eject(SONNET)
    await settled()
    expect(stateOf('a')).toBe('ejected')
  })

  test.each<[string, (scene: ReturnType<typeof learningScene>) => void]>([
    ['that nobody lists', ({ eject }) => eject('other')],
    [
      'that one person alone called',
      ({ learn }) => {
        for (let i = 0; i < 5; i++) learn(FAILED, { model: SONNET, alone: true })
      },
    ],
    [
      'that is not offered',
      ({ shared }) => void shared.record(`a ${SONNET}`, { kind: 'not_offered', at: 1e15, reason: 'x' }),
    ],
    [
      'of another account',
      ({ shared }) => void shared.record(`b ${SONNET}`, { kind: 'ejected', at: 1e15, reason: 'x' }),
    ],
  ])('does not count a model %s', async (_, also) => {
    const scene = learningScene()
    also(scene)
    scene.eject(OPUS)
    await scene.settled()
    expect(scene.stateOf('a')).toBeUndefined()
  })
})

describe('the first byte of a call that was let through', () => {
  test('opens model and account for everybody', () => {
    const { eject, learning, stateOf, local } = learningScene()
    eject(OPUS)
    eject(OPUS, CUT)
    learning.checked(A, { kind: 'down', reason: 'x' })
    learning.opened(A, PAIR)
    expect([stateOf(PAIR), stateOf(PAIR, local), stateOf('a', local)]).toEqual([
      'healthy',
      'healthy',
      'healthy',
    ])
  })
})

describe('a claim to be the half-open call', () => {
  test('is won by one call for all that is out', async () => {
    const { eject, learning, shared, clock, settled } = learningScene()
    learning.checked(A, { kind: 'refused', reason: 'x', forGood: false })
    eject(OPUS)
    await settled()
    clock.advance(60_000)
    expect(await learning.claim(A, PAIR, ANN)).toBe(true)
    expect([shared.get('a')?.lastTry?.person, shared.get(PAIR)?.lastTry?.person]).toEqual([ANN, ANN])
    expect(await learning.claim(A, PAIR, BOB)).toBe(false)
  })

  test('is lost while it is not due', async () => {
    const { eject, learning, settled } = learningScene()
    eject(OPUS)
    await settled()
    expect(await learning.claim(A, PAIR, ANN)).toBe(false)
  })

  test('needs nothing where nothing is out', async () => {
    const { learning, learn, settled } = learningScene()
    expect(await learning.claim(A, PAIR, ANN)).toBe(true)
    learn({ kind: 'pair_cooldown', reason: 'x', untilMs: 1e15 })
    await settled()
    expect(await learning.claim(A, PAIR, ANN)).toBe(true)
  })
})

describe('a check of our own', () => {
  test('that meets a refusal disables the account, for a minute or for good, which is told once', () => {
    const { learning, shared, outages, clock } = learningScene()
    learning.checked(A, { kind: 'refused', reason: 'refused the credential (401)', forGood: false })
    expect(shared.get('a')).toMatchObject({
      state: 'disabled',
      cause: 'refused',
      until: clock.now() + 60_000,
    })
    learning.checked(A, { kind: 'refused', reason: 'refused the credential (401)', forGood: false })
    expect(outages).toEqual([{ backend: 'a', state: 'disabled', reason: 'refused the credential (401)' }])
    const other = learningScene()
    other.learning.checked(A, { kind: 'refused', reason: 'x', forGood: true })
    expect(other.shared.get('a')?.until).toBe(Number.MAX_SAFE_INTEGER)
  })

  test('that reaches nobody ejects the account for this process, which is told once', () => {
    const { learning, local, shared, outages } = learningScene()
    learning.checked(A, { kind: 'down', reason: 'answered 503' })
    learning.checked(A, { kind: 'down', reason: 'answered 503' })
    expect([local.get('a')?.state, shared.size()]).toEqual(['ejected', 0])
    expect(outages).toEqual([{ backend: 'a', state: 'ejected', reason: 'answered 503' }])
  })

  test('that is answered changes nothing', () => {
    const { learning, local, shared, outages } = learningScene()
    learning.checked(A, { kind: 'works' })
    expect([local.size(), shared.size(), outages]).toEqual([0, 0, []])
  })
})

describe('a refresh', () => {
  const served = { person: ANN, conversation: 7, backend: 'b', moved: true }

  test('takes over health and tells other processes of moved conversations', async () => {
    const store = memoryHealth()
    const [here, there] = [learningScene({ store }), learningScene({ store })]
    here.eject(OPUS)
    await here.settled()
    const now = here.clock.now()
    here.memory.affinity.served({ ...served, idleUntil: now + 300_000, now })
    await here.learning.refresh()
    await there.learning.refresh()
    expect(there.stateOf(PAIR)).toBe('ejected')
    expect(there.memory.affinity.placeOf(ANN, 7, now)).toMatchObject({ backend: 'b' })
  })

  test('tells of moved conversations again where the store did not take them', async () => {
    const store = memoryHealth()
    let isAway = true
    const move: typeof store.move = (...given) =>
      isAway ? Promise.reject(new Error('away')) : store.move(...given)
    const [here, there] = [learningScene({ store: { ...store, move } }), learningScene({ store })]
    const now = here.clock.now()
    here.memory.affinity.served({ ...served, idleUntil: now + 300_000, now })
    await expect(here.learning.refresh()).rejects.toThrow('away')
    isAway = false
    await here.learning.refresh()
    await there.learning.refresh()
    expect(there.memory.affinity.placeOf(ANN, 7, now)).toMatchObject({ backend: 'b' })
  })

  test('writes no moves when there are none, and reads those of the last five seconds again', async () => {
    const store = memoryHealth()
    const moves: number[] = []
    const since: number[] = []
    const { learning, clock, memory } = learningScene({
      store: {
        ...store,
        move: async (given) => void moves.push(given.length),
        movedSince: async (from) => {
          since.push(from)
          return []
        },
      },
    })
    const now = clock.now()
    await learning.refresh()
    memory.affinity.served({ ...served, idleUntil: now + 1_000, now })
    clock.advance(2_000)
    await learning.refresh()
    expect([moves, since]).toEqual([[1], [0, now - 5_000]])
    // What is idle is forgotten.
    expect(memory.affinity.placeOf(ANN, 7, now)).toBeUndefined()
  })
})
