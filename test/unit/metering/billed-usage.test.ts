import { describe, expect, test } from 'vitest'
import { billedUsage, mergeUsage, type RawUsage } from '../../../core/metering/billed-usage.ts'
import { json, one } from '../../support/usage-streams.ts'

type End = Parameters<typeof billedUsage>[1]
const FINAL: End = {
  final: true,
  estimatedOutput: 0,
  refusedUnserved: false,
  servedBy: undefined,
  failed: false,
}
const billed = (usage: RawUsage, end: Partial<End> = {}) => billedUsage(usage, { ...FINAL, ...end })
const PLAIN = { input_tokens: 10, output_tokens: 5 }
const step = (given: RawUsage = {}) => ({ type: 'message', input_tokens: 10, output_tokens: 5, ...given })

describe('a later usage', () => {
  test('replaces what it tells, and keeps the rest', () => {
    const known = { input_tokens: 10, output_tokens: 1, speed: 'fast' }
    expect(mergeUsage(known, { output_tokens: 7, later: 1 })).toEqual({
      input_tokens: 10,
      output_tokens: 7,
      speed: 'fast',
      later: 1,
    })
    expect(mergeUsage(known, { output_tokens: null, speed: undefined })).toEqual(known)
    expect(known.output_tokens).toBe(1)
  })

  test.each([
    [10, 0, 10],
    [10, 3, 3],
    [0, 0, 0],
    [undefined, 0, 0],
    ['x', 0, 0],
  ])('with input %j and then %j has %j', (before, after, merged) => {
    expect(mergeUsage({ input_tokens: before }, { input_tokens: after }).input_tokens).toBe(merged)
  })

  test('of 0 replaces other counts', () => {
    expect(mergeUsage({ output_tokens: 5 }, { output_tokens: 0 })).toEqual({ output_tokens: 0 })
  })
})

describe('a usage of several steps', () => {
  const whole = { input_tokens: 20, output_tokens: 10 }

  test('that add up is billed step by step', () => {
    expect(billed({ ...whole, iterations: [step(), step()] }).parts).toEqual([
      ...one({ input: 10, output: 5 }),
      ...one({ input: 10, output: 5 }),
    ])
  })

  test.each<[string, RawUsage]>([
    ['input', { input_tokens: 21 }],
    ['output', { output_tokens: 11 }],
    ['what came from the cache', { cache_read_input_tokens: 1 }],
    ['what was written to it', { cache_creation_input_tokens: 1 }],
  ])('that do not add up in %s is billed as a whole', (_, change) => {
    const { parts } = billed({ ...whole, ...change, iterations: [step(), step()] })
    expect(parts).toHaveLength(1)
    expect(parts).toEqual(billed({ ...whole, ...change }).parts)
  })

  test('is billed at the model of each step', () => {
    const iterations = [step({ model: 'a' }), step({ type: 'fallback_message', model: 'b' })]
    expect(
      billed({ input_tokens: 1, iterations }, { servedBy: 'c' }).parts.map(({ model }) => model),
    ).toEqual(['a', 'b'])
  })

  test('of one model is billed at the one that served it', () => {
    const { parts } = billed({ ...whole, iterations: [step(), step()] }, { servedBy: 'b' })
    expect(parts.map(({ model }) => model)).toEqual(['b', 'b'])
    expect(billed(whole, { servedBy: 'b' }).parts).toEqual(one({ input: 20, output: 10 }, 'b'))
    // With other steps among them, those without a model are of the request's own.
    const mixed = [step(), step({ type: 'compaction' })]
    expect(billed({ ...whole, iterations: mixed }, { servedBy: 'b' }).parts[0]?.model).toBeUndefined()
  })

  test('bills a compaction that the whole leaves out', () => {
    const iterations = [step({ type: 'compaction', output_tokens: 0 }), step()]
    expect(billed({ ...PLAIN, iterations }).parts).toHaveLength(2)
  })

  test('does not bill a step that was declined and gave way to a fallback', () => {
    const declined = step({ model: 'a', output_tokens: 0 })
    const fallback = step({ type: 'fallback_message', model: 'b' })
    expect(billed({ iterations: [declined, fallback] }).parts.map(({ model }) => model)).toEqual(['b'])
    const alsoDeclined = step({ model: 'c', output_tokens: 0 })
    for (const chain of [
      [declined, alsoDeclined, fallback],
      [declined, step({ type: 'compaction' }), fallback],
    ])
      expect(billed({ iterations: chain }).parts.map(({ model }) => model)).not.toContain('a')
    expect(billed({ iterations: [fallback, declined] }).parts).toHaveLength(2)
    expect(billed({ iterations: [declined, step()] }).parts).toHaveLength(2)
    expect(billed({ iterations: [{ ...declined, output_tokens: 1 }, fallback] }).parts).toHaveLength(2)
    const compacted = { ...declined, type: 'compaction' }
    expect(billed({ iterations: [compacted, fallback] }).parts).toHaveLength(2)
  })

  test('that tells no split of its writes has that of the whole, from the first step on', () => {
    const usage = {
      input_tokens: 20,
      output_tokens: 10,
      cache_creation_input_tokens: 50,
      cache_creation: { ephemeral_1h_input_tokens: 30 },
      iterations: [step({ cache_creation_input_tokens: 20 }), step({ cache_creation_input_tokens: 30 })],
    }
    expect(billed(usage).parts).toEqual([
      ...one({ input: 10, output: 5, cacheWrite1h: 20 }),
      ...one({ input: 10, output: 5, cacheWrite1h: 10, cacheWrite5m: 20 }),
    ])
  })

  test('passes over what is no step', () => {
    expect(billed({ ...whole, iterations: [5, null, step(), step()] }).parts).toHaveLength(2)
    expect(billed({ ...PLAIN, iterations: [] }).parts).toEqual(one({ input: 10, output: 5 }))
    expect(billed({ ...PLAIN, iterations: 'x' }).parts).toEqual(one({ input: 10, output: 5 }))
  })
})

describe('an answer that has no final usage', () => {
  test('has the larger of what was told and what was written', () => {
    expect(billed(PLAIN, { final: false, estimatedOutput: 9 }).parts).toEqual(one({ input: 10, output: 9 }))
    expect(billed(PLAIN, { final: false, estimatedOutput: 2 }).parts).toEqual(one({ input: 10, output: 5 }))
    expect(billed(PLAIN, { estimatedOutput: 9 }).parts).toEqual(one({ input: 10, output: 5 }))
    expect([billed(PLAIN, { final: false }).estimated, billed(PLAIN).estimated]).toEqual([true, false])
  })

  test('has an input that is unknown, unless it failed before it began', () => {
    const unknown = (usage: RawUsage, end: Partial<End> = {}) => billed(usage, end).inputUnknown
    expect(unknown({})).toBe(true)
    expect(unknown({ input_tokens: null, iterations: undefined })).toBe(true)
    expect(unknown({ input_tokens: 0 })).toBe(false)
    expect(unknown({ iterations: [] })).toBe(false)
    expect(unknown({}, { failed: true })).toBe(false)
    expect(unknown({}, { failed: true, estimatedOutput: 1 })).toBe(true)
  })
})

describe('a refusal before any output', () => {
  test('is not billed', () => {
    const usage = { ...PLAIN, server_tool_use: { web_search_requests: 2 } }
    expect(billed(usage, { refusedUnserved: true })).toMatchObject({ parts: [], webSearches: 0 })
    expect(billed(usage)).toMatchObject({ webSearches: 2 })
  })

  test('keeps all of its usage beside', () => {
    const answer = { type: 'message', stop_reason: 'refusal', content: [], usage: { ...PLAIN, later: null } }
    expect(json(answer)).toMatchObject({ parts: [], extra: JSON.stringify(PLAIN) })
    expect(json({ ...answer, content: [{}] })).toMatchObject({
      parts: one({ input: 10, output: 5 }),
      extra: null,
    })
    expect(json({ ...answer, stop_reason: 'end_turn' }).parts).toHaveLength(1)
  })
})

describe('a count', () => {
  test.each([
    [1_000_000_000, 1_000_000_000, false],
    [1_000_000_001, 1_000_000_000, true],
    [-1, 0, true],
    [1.5, 2, true],
    ['7', 0, true],
    [null, 0, false],
    [undefined, 0, false],
  ])('of %j is billed as %j (estimated: %j)', (count, tokens, estimated) => {
    expect(billed({ output_tokens: count })).toMatchObject({ parts: one({ output: tokens }), estimated })
  })

  test('of searches is told as well', () => {
    const searches = (server_tool_use: unknown) => billed({ server_tool_use })
    expect(searches({ web_search_requests: -1 })).toMatchObject({ webSearches: 0, estimated: true })
    expect(searches('x')).toMatchObject({ webSearches: 0, estimated: false })
  })
})

test('a batch, its speed and its place are told by their words alone', () => {
  const told = (usage: RawUsage) => {
    const { batch, fast, geoUs } = billed(usage)
    return [batch, fast, geoUs]
  }
  expect(told({ service_tier: 'batch', speed: 'fast', inference_geo: 'us' })).toEqual([true, true, true])
  expect(told({ service_tier: 'x', speed: 'x', inference_geo: 'x' })).toEqual([false, false, false])
})

test.each([
  [{ fallback_credit: { status: { type: 'redeemed' } } }, true],
  [{ fallback_credit: { status: { type: 'x' } } }, false],
  [{ fallback_credit: { status: 'redeemed' } }, false],
  [{ fallback_credit: 'redeemed' }, false],
])('%j makes the figures an estimate: %s', (usage, estimated) => {
  expect(billed(usage).estimated).toBe(estimated)
})

describe('what else was used', () => {
  const extra = (usage: RawUsage) => billed(usage).extra

  test('is kept as it came', () => {
    expect(extra({ ...PLAIN, speed: 'fast', later: { a: 1 } })).toBe('{"speed":"fast","later":{"a":1}}')
  })

  test('is nothing that is billed or says nothing', () => {
    const usage = {
      ...PLAIN,
      cache_creation_input_tokens: 1,
      cache_read_input_tokens: 1,
      cache_creation: {},
      a: null,
      b: undefined,
      service_tier: 'standard',
    }
    expect(extra(usage)).toBeNull()
    expect(extra({ service_tier: 'batch', speed: 'standard' })).toBe(
      '{"service_tier":"batch","speed":"standard"}',
    )
  })

  test('is kept up to 4,096 characters', () => {
    const fits = 'x'.repeat(4_096 - '{"a":""}'.length)
    expect(extra({ a: fits })).toHaveLength(4_096)
    expect(extra({ a: `${fits}x` })).toBeNull()
  })

  test('leaves out what is large where all of it would be too long', () => {
    const large = 'x'.repeat(4_096)
    const name = (length: number) => 'n'.repeat(length)
    const usage = {
      large,
      small: 1,
      [name(63)]: 1,
      [name(64)]: 1,
      edge: 'x'.repeat(511 - '{"edge":""}'.length),
    }
    expect(JSON.parse(extra(usage) ?? '')).toEqual({ small: 1, [name(63)]: 1, edge: usage.edge })
    expect(extra({ large, edge: `${usage.edge}x` })).toBeNull()
  })

  test('is nothing that cannot be written', () => {
    const endless: RawUsage = {}
    endless.own = endless
    expect(extra({ endless, small: 1 })).toBe('{"small":1}')
  })
})

describe('a whole answer', () => {
  const MESSAGE = { type: 'message', stop_reason: 'end_turn', content: [], usage: PLAIN }

  test('is told by the usage at its top level', () => {
    expect(json(MESSAGE)).toMatchObject({
      state: 'complete',
      error: undefined,
      parts: one({ input: 10, output: 5 }),
      estimated: false,
    })
    expect(json({ ...MESSAGE, usage: undefined, content: [{ usage: PLAIN }] }).parts).toEqual(one({}))
  })

  test('is estimated by its text, thinking and tool input where it has none', () => {
    const content = [
      { type: 'text', text: '1234' },
      { thinking: '1234' },
      { name: 'x', input: { a: '12' } },
      { x: '1234' },
    ]
    const answer = { type: 'message', content }
    expect(json(answer)).toMatchObject({ estimated: true, inputUnknown: true, parts: one({ output: 5 }) })
  })

  test('tells what was lost of its prompt', () => {
    const diagnostics = { cache_miss_reason: { type: 'model_changed' } }
    const input_transformations = [{ type: 'thinking_dropped', reason: 'unavailable' }]
    expect(json({ ...MESSAGE, diagnostics, input_transformations }).promptLosses).toMatchObject([
      { kind: 'cache_miss', reason: 'model_changed' },
      { kind: 'thinking_dropped', reason: 'unavailable' },
    ])
  })

  test.each<[string, object, string | undefined]>([
    ['an error envelope', { type: 'error', error: { type: 'overloaded_error' } }, 'overloaded_error'],
    ['an error of no type', { type: 'error', error: {} }, 'api_error'],
    ['an error without more', { type: 'error' }, 'api_error'],
    ['an error of another kind of envelope', { error: { type: 'x' } }, 'x'],
    ['an error that is null', { type: 'message', error: null }, undefined],
    ['a type as long as error', { type: 'worse' }, undefined],
  ])('that is %s says so', (_, answer, error) => {
    expect(json(answer)).toMatchObject({ error, inputUnknown: error === undefined })
  })
})
