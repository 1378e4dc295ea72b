import { describe, expect, test } from 'vitest'
import { createBodyMemory } from '../../../core/limits/body-memory.ts'
import { refusalFrom } from '../../support/refusals.ts'

const ANN = 1
const BOB = 2
const PEOPLE = [11, 12, 13, 14]
const ALL = 'The bodies of all requests under way are too large together. Please try again.'
const YOURS = 'The bodies of your requests under way are too large together. Please try again.'

/** 400 bytes in all, so 100 for one person. */
const memory = () => createBodyMemory(400)

describe('the bodies under way', () => {
  test('take up what was announced before it has come', () => {
    const { hold } = memory()
    for (const person of PEOPLE) hold(person, 100)
    expect(refusalFrom(() => hold(BOB, 1))).toMatchObject({
      code: 'overloaded',
      retryAfterMs: 2_000,
      message: ALL,
    })
  })

  test('take up what was announced until they are over, however little has come', () => {
    const { hold } = memory()
    const body = hold(ANN, 100)
    body.add(10)
    expect(refusalFrom(() => hold(ANN, 1)).message).toBe(YOURS)
  })

  test('take up what has come beyond what was announced', () => {
    const { hold } = memory()
    const body = hold(ANN, 10)
    body.add(10)
    body.add(80)
    hold(ANN, 10)
    expect(refusalFrom(() => hold(ANN, 1))).toMatchObject({ code: 'overloaded', message: YOURS })
    expect(refusalFrom(() => body.add(1)).message).toBe(YOURS)
  })

  test('of one person take up a quarter', () => {
    const { hold } = memory()
    hold(ANN, 50)
    hold(ANN, 50)
    expect(refusalFrom(() => hold(ANN, 1)).message).toBe(YOURS)
    hold(BOB, 100)
  })

  test('are refused without taking up anything', () => {
    const { hold } = memory()
    hold(ANN, 60)
    refusalFrom(() => hold(ANN, 41))
    hold(ANN, 40)
  })

  test('have room for one of any size that is alone', () => {
    const { hold } = memory()
    const body = hold(ANN, 1_000)
    body.add(1_500)
    expect(refusalFrom(() => hold(BOB, 1)).message).toBe(ALL)
    body.free()
    hold(BOB, 100)
  })

  test('of a person have room for a large one while all others are small', () => {
    const { hold } = memory()
    hold(BOB, 1)
    hold(ANN, 399)
    expect(refusalFrom(() => hold(ANN, 1)).message).toBe(ALL)
  })

  test('give everything back, once', () => {
    const { hold } = memory()
    const first = hold(ANN, 30)
    const second = hold(ANN, 70)
    first.free()
    first.free()
    hold(ANN, 30)
    expect(refusalFrom(() => hold(ANN, 1)).message).toBe(YOURS)
    second.free()
    for (const person of PEOPLE.slice(0, 3)) hold(person, 100)
    hold(ANN, 70)
    expect(refusalFrom(() => hold(BOB, 1)).message).toBe(ALL)
  })
})
