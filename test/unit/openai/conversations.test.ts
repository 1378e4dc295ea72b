/** Whatever comes in: what is sent keeps Claude's rules, or the request is refused by name. */
import { describe, test } from 'vitest'
import { holdsForChats, holdsForResponses } from '../../support/translated-requests.ts'

const RUNS = 600

describe('a request of any kind is sent as Claude takes it, or refused by name', () => {
  test('of chat completions', () => holdsForChats(RUNS))
  test('of responses', () => holdsForResponses(RUNS))
})
