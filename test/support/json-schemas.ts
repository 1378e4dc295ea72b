/** Random JSON schemas as clients write them: for the parameters of tools and for structured output. */
import fc from 'fast-check'

type Schema = Record<string, unknown>

const key = fc.constantFrom('a', 'b', 'city', 'is_new', 'x.y')
const bounds = fc.constantFrom<Schema>(
  {},
  { minimum: 0, maximum: 10 },
  { minLength: 1, pattern: '^a' },
  { format: 'email' },
  { format: 'color' },
  { default: 1, examples: [1] },
  { minItems: 2, uniqueItems: true },
  { description: 'what it is', title: 'T' },
  { not: { type: 'null' } },
  { if: { type: 'string' }, else: { minimum: 1 } },
  { $comment: 'c', discriminator: { propertyName: 'a' } },
)

const { schema } = fc.letrec<{ schema: Schema; object: Schema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'schema' },
    fc
      .tuple(
        fc.constantFrom<unknown>('string', 'integer', 'number', 'boolean', 'null', ['string', 'null']),
        bounds,
      )
      .map(([type, more]) => ({ type, ...more })),
    fc.constantFrom<Schema>(
      { enum: ['a', 1, null] },
      { const: 'x' },
      { type: 'string', enum: ['a'] },
      { $ref: '#/$defs/d' },
    ),
    fc.tuple(tie('schema'), bounds).map(([items, more]) => ({ type: 'array', items, ...more })),
    fc
      .tuple(
        fc.constantFrom('anyOf', 'oneOf', 'allOf'),
        fc.array(tie('schema'), { minLength: 1, maxLength: 3 }),
      )
      .map(([kind, parts]) => ({ [kind]: parts })),
    tie('object'),
  ),
  object: fc
    .tuple(
      fc.dictionary(key, tie('schema'), { maxKeys: 4 }),
      fc.boolean(),
      fc.constantFrom<Schema>(
        {},
        { additionalProperties: false },
        { additionalProperties: { type: 'string' } },
        { patternProperties: { '^a': {} } },
      ),
      fc.constantFrom<unknown>('object', ['object', 'null']),
    )
    .map(([properties, all, more, type]) => ({
      type,
      properties,
      ...(all ? { required: Object.keys(properties) } : {}),
      ...more,
    })),
}))

const root = fc
  .tuple(
    schema,
    fc.constantFrom<Schema>({ type: 'string' }, { type: 'object', properties: { n: { type: 'integer' } } }),
  )
  .map(([one, d]) => ({ ...one, $defs: { d } }))

/** Nearly always what a schema of a tool may be, sometimes with a choice at the top. */
export const randomParameters = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Schema>({}) },
  { weight: 20, arbitrary: root },
  { weight: 1, arbitrary: fc.constant<Schema>({ properties: { 'not a name!': { type: 'string' } } }) },
)

export const randomFormat = root
