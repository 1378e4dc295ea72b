/** 20,000 random conversations through both interfaces, held to Claude's rules. The everyday suites run a few hundred. */
import { describe, test } from 'vitest'
import { holdsForChats, holdsForResponses } from '../support/translated-requests.ts'

const RUNS = 10_000

describe('every random conversation is sent as Claude takes it, or refused by name', () => {
  test('of chat completions', () => holdsForChats(RUNS))
  test('of responses', () => holdsForResponses(RUNS))
})
