import { describe, expect, test } from 'vitest'
import { structuredSchema } from '../../../core/openai/request/schema.ts'
import { toolOf } from '../../../core/openai/request/tools.ts'

const ref = (name: string) => ({ $ref: `#/$defs/${name}` })
const closed = (properties: Record<string, object>) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})
/** Definitions that each refer to the next one, `width` times. */
const chain = (length: number, width: number) => ({
  ...closed({ x: ref('d0') }),
  $defs: Object.fromEntries(
    Array.from({ length }, (_, i) => {
      const next = Array.from({ length: width }, (_unused, w) => [`p${w}`, ref(`d${i + 1}`)])
      return [`d${i}`, i === length - 1 ? { type: 'string' } : closed(Object.fromEntries(next))]
    }),
  ),
})
const deep = (levels: number): object =>
  Array.from({ length: levels }).reduce<object>((inner) => closed({ a: inner }), { type: 'string' })
/** As generators write it that name generic types. */
const LIST = {
  ...closed({ x: ref('List%3CT%3E') }),
  $defs: { 'List<T>': closed({ next: ref('List%3CT%3E') }) },
}
const strict = (parameters: object) =>
  toolOf({ name: 'f', parameters: { ...parameters }, strict: true }, 'tools[0]', () => {})

describe('schemas that grow', () => {
  test.each([
    ['by doubling at each reference', chain(26, 2)],
    ['by a long row of references', chain(5_000, 1)],
    ['by nesting', deep(200)],
    ['by themselves, by a reference that is encoded', LIST],
  ])('are refused for structured output and strict tools: %s', (_, schema) => {
    expect(() => structuredSchema(schema, 'schema', () => {})).toThrow(/not taken/)
    expect(() => strict(schema)).toThrow(/^tools\[0\]\.parameters: .* not taken/)
  })

  // A schema of two megabytes took ten seconds, and that of required names thirty.
  const long = (letter: string) => ({ type: 'string', enum: [letter.repeat(500_000)] })
  const part = { required: ['q'] }
  test.each([
    [
      'long values that are compared again and again',
      {
        ...closed({ x: { allOf: Array.from({ length: 200 }, (_, i) => ref(i % 2 ? 'a' : 'b')) } }),
        $defs: { a: long('a'), b: long('b') },
      },
    ],
    [
      'long lists that are copied again and again',
      {
        ...closed({ q: { type: 'string' } }),
        required: Array.from({ length: 20_000 }, (_, i) => `p${i}`),
        allOf: Array.from({ length: 200 }, () => part),
      },
    ],
  ])('are refused where they are put together of parts: %s', (_, schema) => {
    expect(() => structuredSchema(schema, 'schema', () => {})).toThrow(/not taken/)
  })

  const twins = (first: object) => {
    const others = Array.from({ length: 1_000 }, (_, i) => [`b${i}`, { $ref: '#/properties/first' }])
    return closed({ first, ...Object.fromEntries(others) })
  }
  test.each([
    ['a long list of values', { enum: Array.from({ length: 1_000 }, (_, i) => i) }],
    ['a long description', { type: 'string', description: 'a'.repeat(50_000) }],
    ['a keyword that Claude has not', { type: 'string', examples: [['a'.repeat(50_000)]] }],
    ['a long reference', { $ref: `#/${'a/'.repeat(20_000)}` }],
  ])('are refused where a part is written again and again: %s', (_, first) => {
    expect(() => structuredSchema(twins(first), 'schema', () => {})).toThrow(/so large a schema/)
  })

  test('are taken as long as they are small', () => {
    expect(structuredSchema(twins({ enum: ['a', 'b'] }), 'schema', () => {})).toMatchObject({
      properties: { first: { enum: ['a', 'b'] }, b999: { enum: ['a', 'b'] } },
    })
    expect(structuredSchema(chain(8, 2), 'schema', () => {})).toMatchObject({ type: 'object' })
    expect(strict(chain(8, 2))).toMatchObject({ strict: true })
    expect(structuredSchema(deep(30), 'schema', () => {})).toMatchObject({ type: 'object' })
  })

  test('are left to the upstream where nobody has to keep to them', () => {
    const tool = toolOf({ name: 'f', parameters: { ...chain(26, 2) } }, 'tools[0]', () => {})
    expect(tool).not.toHaveProperty('strict')
  })
})

describe('what several schemas say of one value', () => {
  const adapted = (schema: object) => {
    const warnings: string[] = []
    return { schema: structuredSchema(schema, 'schema', (text) => warnings.push(text)), warnings }
  }
  const named = closed({ street: { type: 'string' } })

  test('is one schema, because Claude takes no reference in allOf', () => {
    const pydantic = {
      ...closed({ home: { allOf: [ref('A')], description: 'Where.' } }),
      $defs: { A: named },
    }
    expect(adapted(pydantic)).toEqual({
      schema: { $defs: { A: named }, ...closed({ home: { ...named, description: 'Where.' } }) },
      warnings: [],
    })
  })

  test('has the properties of all of them, because each is closed and no object would fit two', () => {
    const base = { type: 'object', properties: { kind: { type: 'string' }, id: { type: 'integer' } } }
    const schema = {
      type: 'object',
      properties: { own: { type: 'null' } },
      required: ['own'],
      allOf: [ref('Base'), { properties: { kind: { const: 'a' } }, required: ['kind'] }, { not: {} }],
      $defs: { Base: { ...base, allOf: [{ required: ['id'] }] } },
    }
    const { schema: copy, warnings } = adapted(schema)
    expect(copy).toMatchObject({
      ...closed({ own: { type: 'null' }, id: { type: 'integer' }, kind: { const: 'a' } }),
      required: ['own', 'id', 'kind'],
    })
    expect(copy).not.toHaveProperty('allOf')
    expect(warnings).toEqual(['schema.not'])
  })

  test('keeps the first where they differ, with a warning', () => {
    const schema = closed({ a: { allOf: [{ type: 'string' }, { type: 'integer' }] } })
    expect(adapted(schema)).toEqual({
      schema: closed({ a: { type: 'string' } }),
      warnings: ['schema.properties.a.allOf[1].type'],
    })
  })

  test('is written out where a reference leads to a place that changes', () => {
    const schema = {
      ...closed({ a: { $ref: '#/components/schemas/A' } }),
      components: { schemas: { A: named } },
    }
    expect(adapted(schema).schema.properties).toEqual({ a: named })
  })

  test('is refused where it would not end, also where nothing leads to it', () => {
    const twice = { allOf: [ref('A'), ref('A')] }
    expect(() => adapted({ ...closed({}), $defs: { A: twice } })).toThrow(/not taken/)
    const doubling = Array.from({ length: 40 }, (_, i) => [
      `d${i}`,
      { allOf: [ref(`d${i + 1}`), ref(`d${i + 1}`)] },
    ])
    expect(() => adapted({ ...closed({}), $defs: Object.fromEntries(doubling) })).toThrow(/not taken/)
  })

  test.each([{ additionalProperties: { type: 'integer' } }, { additionalProperties: true }, {}])(
    'is warned of where an object would stay empty: %j',
    (open) => {
      expect(adapted(closed({ prices: { type: 'object', ...open } })).warnings).toEqual([
        'schema.properties.prices: properties that it does not name are not written',
      ])
    },
  )

  test.each([
    { ...closed({ a: { allOf: [ref('A')] } }), $defs: { A: named } },
    closed({ a: { type: 'string', pattern: '^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$' } }),
    closed({ a: { type: 'string', pattern: '\\bword\\b' } }),
  ])('does not keep a tool to what Claude cannot: %j', (parameters) => {
    expect(strict(parameters)).not.toHaveProperty('strict')
    expect(strict(closed({ a: { type: 'string', pattern: '^(?:a|b)\\d+$' } }))).toHaveProperty('strict')
  })
})
