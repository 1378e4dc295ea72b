/** Random requests through the translation, held to Claude's rules. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { Refusal } from '../../core/errors.ts'
import { chatRequest, model, responsesRequest } from './openai-requests.ts'
import { chat, responses } from './translation.ts'

/** Fixed, so that a run says the same again. */
const SEED = 20_261_126

/** Throws with the smallest request that Claude would refuse. */
export const holdsForChats = (runs: number) => holds(chatRequest, chat, runs)
export const holdsForResponses = (runs: number) => holds(responsesRequest, responses, runs)

function holds(
  request: fc.Arbitrary<object>,
  translate: (body: object, sentModel: string) => unknown,
  runs: number,
) {
  let sent = 0
  fc.assert(
    fc.property(request, model, (body, sentModel) => {
      try {
        translate(body, sentModel)
        sent += 1
      } catch (cause) {
        if (!(cause instanceof Refusal)) throw cause
        // By name: with the parameter that Claude has no equal for.
        expect(Object.keys(cause.fields ?? {})).toHaveLength(1)
      }
    }),
    { seed: SEED, numRuns: runs },
  )
  // Else this would hold because everything is refused.
  expect(sent).toBeGreaterThan(runs / 3)
}
