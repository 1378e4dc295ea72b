import { describe, expect, test } from 'vitest'
import { conversationHash, createAffinity, drawOf } from '../../../core/backends/affinity.ts'

const ANN = 1
const BOB = 2
const NOW = 1_000_000
const LIFE = 300_000
/** A conversation of Ann's that its hash leads to `a`, and that a failover moved to `b`. */
const MOVED = { person: ANN, conversation: 7, backend: 'b', moved: true, idleUntil: NOW + LIFE, now: NOW }
const HOME = { ...MOVED, backend: 'a', moved: false }
const MOVE = { person: ANN, conversation: 7, backend: 'b', idleUntil: NOW + LIFE }

describe('the place of a conversation', () => {
  test('is where it was served last, until it is idle', () => {
    const affinity = createAffinity()
    affinity.served(MOVED)
    expect(affinity.placeOf(ANN, 7, NOW + LIFE - 1)).toMatchObject({ backend: 'b', moved: true })
    expect(affinity.placeOf(ANN, 7, NOW + LIFE)).toBeUndefined()
    affinity.served(HOME)
    expect(affinity.placeOf(ANN, 7, NOW)).toMatchObject({ backend: 'a', moved: false })
  })

  test('is that of this person and this conversation alone', () => {
    const affinity = createAffinity()
    affinity.served(MOVED)
    expect([affinity.placeOf(BOB, 7, NOW), affinity.placeOf(ANN, 8, NOW)]).toEqual([undefined, undefined])
  })

  test('is forgotten for the longest idle of 5,000 of one person', () => {
    const affinity = createAffinity()
    for (let conversation = 0; conversation < 5_000; conversation++)
      affinity.served({ ...HOME, conversation })
    // The first one goes on, so that the second is the one that was idle for longest.
    affinity.served({ ...HOME, conversation: 0 })
    affinity.served({ ...HOME, conversation: 5_000 })
    const known = [0, 1, 2, 5_000].map(
      (conversation) => affinity.placeOf(ANN, conversation, NOW) !== undefined,
    )
    expect(known).toEqual([true, false, true, true])
  })

  test('is swept away once it is idle', () => {
    const affinity = createAffinity()
    affinity.served(HOME)
    affinity.sweep(NOW + LIFE - 1)
    expect(affinity.placeOf(ANN, 7, NOW)).toBeDefined()
    affinity.sweep(NOW + LIFE)
    expect(affinity.placeOf(ANN, 7, NOW)).toBeUndefined()
  })

  test('of one that goes on stays when another of the same person is swept away', () => {
    const affinity = createAffinity()
    affinity.served(HOME)
    affinity.served({ ...HOME, conversation: 8, idleUntil: NOW + 2 * LIFE })
    affinity.sweep(NOW + LIFE)
    expect(affinity.placeOf(ANN, 8, NOW)).toBeDefined()
  })
})

describe('what the store hears', () => {
  test('is a move, once', () => {
    const affinity = createAffinity()
    affinity.served(MOVED)
    expect([affinity.unstored(), affinity.unstored()]).toEqual([[MOVE], []])
  })

  test('is nothing of a conversation that was never away', () => {
    const affinity = createAffinity()
    affinity.served(HOME)
    affinity.served({ ...HOME, now: NOW + LIFE / 2, idleUntil: NOW + 2 * LIFE })
    expect(affinity.unstored()).toEqual([])
  })

  test('is a move that goes on once half of its life is over', () => {
    const affinity = createAffinity()
    const again = (after: number) => {
      affinity.served({ ...MOVED, now: NOW + after, idleUntil: NOW + after + LIFE })
      return affinity.unstored()
    }
    again(0)
    expect(again(LIFE / 2)).toEqual([])
    expect(again(LIFE / 2 + 1)).toEqual([{ ...MOVE, idleUntil: NOW + LIFE / 2 + 1 + LIFE }])
    expect(again(LIFE / 2 + 2)).toEqual([])
  })

  test('is a move to yet another backend at once', () => {
    const affinity = createAffinity()
    affinity.served(MOVED)
    affinity.unstored()
    affinity.served({ ...MOVED, backend: 'c' })
    expect(affinity.unstored()).toEqual([{ ...MOVE, backend: 'c' }])
  })

  test('is that a conversation went back, once', () => {
    const affinity = createAffinity()
    affinity.served(MOVED)
    affinity.unstored()
    affinity.served(HOME)
    expect(affinity.unstored()).toEqual([{ ...MOVE, backend: 'a', idleUntil: 0 }])
    affinity.served(HOME)
    expect(affinity.unstored()).toEqual([])
  })

  test('is a move again that the store did not take, but none that was followed by another', () => {
    const affinity = createAffinity()
    affinity.served(MOVED)
    affinity.served({ ...MOVED, person: BOB })
    const lost = affinity.unstored()
    affinity.served({ ...MOVED, backend: 'c' })
    affinity.notStored(lost)
    expect(affinity.unstored()).toEqual([
      { ...MOVE, backend: 'c' },
      { ...MOVE, person: BOB },
    ])
    expect(affinity.unstored()).toEqual([])
  })

  test('is only the last of several moves of one conversation', () => {
    const affinity = createAffinity()
    affinity.served(MOVED)
    affinity.served({ ...MOVED, backend: 'c' })
    affinity.served({ ...MOVED, person: BOB })
    expect(affinity.unstored()).toEqual([
      { ...MOVE, backend: 'c' },
      { ...MOVE, person: BOB },
    ])
  })
})

describe('a move that another process tells of', () => {
  test('counts like an own one, and is not told again', () => {
    const affinity = createAffinity()
    affinity.learn([MOVE])
    expect(affinity.placeOf(ANN, 7, NOW)).toMatchObject({ backend: 'b', moved: true })
    affinity.served(MOVED)
    expect(affinity.unstored()).toEqual([])
  })

  test('gives way to a newer one', () => {
    const affinity = createAffinity()
    affinity.learn([MOVE, { ...MOVE, backend: 'c', idleUntil: MOVE.idleUntil + 1 }])
    expect(affinity.placeOf(ANN, 7, NOW)?.backend).toBe('c')
    affinity.learn([MOVE, { ...MOVE, idleUntil: MOVE.idleUntil + 1 }])
    expect(affinity.placeOf(ANN, 7, NOW)?.backend).toBe('c')
  })

  test('home is taken over, unless the conversation is at home here', () => {
    const affinity = createAffinity()
    const back = { ...MOVE, backend: 'a', idleUntil: 0 }
    affinity.learn([MOVE, back])
    expect(affinity.placeOf(ANN, 7, NOW)).toBeUndefined()
    affinity.served(HOME)
    affinity.learn([back, { ...back, person: BOB }, { ...back, conversation: 9 }])
    expect(affinity.placeOf(ANN, 7, NOW)?.backend).toBe('a')
  })
})

describe('hashes', () => {
  test('of conversations are the same in every release, because stores hold them', () => {
    expect(['', 'a', 'session-1'].map(conversationHash)).toMatchInlineSnapshot(`
      [
        4542716992037992,
        8023708209385653,
        4060815237693733,
      ]
    `)
    expect(conversationHash('x')).not.toBe(conversationHash('y'))
    expect(Number.isSafeInteger(conversationHash('session-1'))).toBe(true)
  })

  test('lead a conversation to the same backends in every release, because caches live there', () => {
    expect([drawOf(0, 'a'), drawOf(0, 'b'), drawOf(1, 'a')]).toMatchInlineSnapshot(`
      [
        0.8031540916999802,
        0.33085373823996633,
        0.3778720396803692,
      ]
    `)
  })

  test('draw evenly between 0 and 1', () => {
    const draws = Array.from({ length: 10_000 }, (_, i) => drawOf(conversationHash(`s${i}`), 'a'))
    const inTenth = (tenth: number) => draws.filter((draw) => Math.floor(draw * 10) === tenth).length
    for (let tenth = 0; tenth < 10; tenth++) expect(Math.abs(inTenth(tenth) - 1_000)).toBeLessThan(150)
  })
})
