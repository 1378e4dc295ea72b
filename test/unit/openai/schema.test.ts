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
const strict = (parameters: object) =>
  toolOf({ name: 'f', parameters: { ...parameters }, strict: true }, 'tools[0]', () => {})

describe('schemas that grow', () => {
  test.each([
    ['by doubling at each reference', chain(26, 2)],
    ['by a long row of references', chain(5_000, 1)],
    ['by nesting', deep(200)],
  ])('are refused for structured output and strict tools: %s', (_, schema) => {
    expect(() => structuredSchema(schema, 'schema', () => {})).toThrow(/not taken/)
    expect(() => strict(schema)).toThrow(/^tools\[0\]\.parameters: .* not taken/)
  })

  test('are taken as long as they are small', () => {
    expect(structuredSchema(chain(8, 2), 'schema', () => {})).toMatchObject({ type: 'object' })
    expect(strict(chain(8, 2))).toMatchObject({ strict: true })
    expect(structuredSchema(deep(30), 'schema', () => {})).toMatchObject({ type: 'object' })
  })

  test('are left to the upstream where nobody has to keep to them', () => {
    const tool = toolOf({ name: 'f', parameters: { ...chain(26, 2) } }, 'tools[0]', () => {})
    expect(tool).not.toHaveProperty('strict')
  })
})
