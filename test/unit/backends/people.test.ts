import { expect, test } from 'vitest'
import { createPeople } from '../../../core/backends/people.ts'

const ANN = 1
const BOB = 2
const NEVER = Number.NEGATIVE_INFINITY

test('when somebody else called last is known for each key and person', () => {
  const people = createPeople()
  expect(people.othersAt('a', ANN)).toBe(NEVER)
  people.called('a', ANN, 10)
  expect([people.othersAt('a', ANN), people.othersAt('a', BOB)]).toEqual([NEVER, 10])
  people.called('a', ANN, 20)
  expect([people.othersAt('a', ANN), people.othersAt('a', BOB)]).toEqual([NEVER, 20])
  people.called('a', BOB, 30)
  expect([people.othersAt('a', ANN), people.othersAt('a', BOB)]).toEqual([30, 20])
  people.called('a', BOB, 40)
  expect([people.othersAt('a', ANN), people.othersAt('a', BOB)]).toEqual([40, 20])
  expect(people.othersAt('b', ANN)).toBe(NEVER)
})
