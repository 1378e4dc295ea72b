/** Whether Claude is asked for a stream, where the caller wants one object. */
import { describe, expect, test } from 'vitest'
import { chat, FOUR_SIX, OLD, responses } from '../../support/translation.ts'

const OFF = { thinking: { type: 'disabled' } }
const THINKS_BY_DEFAULT = 'claude-opus-5'
const search = { tools: [{ type: 'web_search' }], max_output_tokens: 100 }

describe('a whole answer', () => {
  test.each<[string, object, string, boolean]>([
    ['that is short', { max_tokens: 4096 }, FOUR_SIX, false],
    ['that is short, of an older model', { max_tokens: 1 }, OLD, false],
    ['that may be long', { max_tokens: 4097 }, FOUR_SIX, true],
    ['without a limit', {}, FOUR_SIX, true],
    ['with thinking', { max_tokens: 2000, reasoning_effort: 'high' }, OLD, true],
    ['of a model that thinks by itself', { max_tokens: 100 }, THINKS_BY_DEFAULT, true],
    ['of such a model that is told not to', { max_tokens: 100, ...OFF }, THINKS_BY_DEFAULT, false],
    ['that the caller wants as a stream', { max_tokens: 100, stream: true }, FOUR_SIX, true],
  ])('%s is asked of Claude as a stream only where that is worth it', (_what, body, model, streams) => {
    expect(chat(body, model).request.stream).toBe(streams)
  })

  test('with a tool that Claude runs itself is always streamed to us, because it may pause', () => {
    expect(responses(search, FOUR_SIX).request.stream).toBe(true)
    expect(responses({ max_output_tokens: 100 }, FOUR_SIX).request.stream).toBe(false)
  })
})
