/** A minimal value that fits a JSON schema. Texts are chosen by the names of their properties. */

const DEEPEST = 8
const LONGEST_TEXT = 60

import { isRecord } from '../../../core/json/is-record.ts'

type Fields = Record<string, unknown>
interface Around {
  /** The question, from which texts are made. */
  hint: string
  /** The schema in which `$ref` is resolved. */
  root: unknown
  depth: number
  name: string
}

export function sampleOf(schema: unknown, hint: string): unknown {
  return sample(schema, { hint, root: schema, depth: 0, name: '' })
}

/** The text as one line of at most `longest` characters. */
export function excerpt(text: string, longest = LONGEST_TEXT): string {
  const line = text
    .slice(0, longest * 8)
    .replace(/\s+/g, ' ')
    .trim()
  const characters = [...line]
  return characters.length > longest ? `${characters.slice(0, longest - 1).join('')}…` : line
}

function sample(given: unknown, around: Around): unknown {
  if (!isRecord(given) || around.depth > DEEPEST) return null
  const deeper = { ...around, depth: around.depth + 1 }
  if (typeof given.$ref === 'string') return sample(resolved(given.$ref, around.root), deeper)
  if ('const' in given) return given.const
  if ('default' in given) return given.default
  if (Array.isArray(given.enum)) return given.enum[0]
  const choices = given.anyOf ?? given.oneOf ?? given.allOf
  if (Array.isArray(choices) && choices.length > 0) return sample(choices[0], deeper)
  const type = Array.isArray(given.type) ? given.type.find((kind) => kind !== 'null') : given.type
  if (type === 'object' || isRecord(given.properties)) return object(given, deeper)
  if (type === 'array') return Number(given.minItems ?? 0) > 0 ? [sample(given.items, deeper)] : []
  if (type === 'integer' || type === 'number') return Number(given.minimum ?? 1)
  if (type === 'boolean') return false
  if (type === 'null') return null
  return text(given, around).padEnd(Math.min(Number(given.minLength ?? 0), 1000), '.')
}

function object(schema: Fields, around: Around): Fields {
  const properties = isRecord(schema.properties) ? schema.properties : {}
  const required = Array.isArray(schema.required) ? schema.required : []
  return Object.fromEntries(
    required
      .filter((name) => typeof name === 'string')
      .map((name) => [
        name,
        sample(Object.hasOwn(properties, name) ? properties[name] : {}, { ...around, name }),
      ]),
  )
}

function resolved(reference: string, root: unknown): unknown {
  return reference
    .replace(/^#\/?/, '')
    .split('/')
    .reduce((node, step) => (isRecord(node) && Object.hasOwn(node, step) ? node[step] : undefined), root)
}

const FORMATS = new Map(
  Object.entries<string>({
    date: '2026-11-23',
    'date-time': '2026-11-23T12:00:00Z',
    time: '12:00:00Z',
    email: 'someone@example.com',
    uri: 'https://example.com',
    uuid: '00000000-0000-4000-8000-000000000000',
  }),
)

function text({ format }: Fields, { hint, name }: Around): string {
  const known = typeof format === 'string' ? FORMATS.get(format) : undefined
  if (known !== undefined) return known
  if (/city|location|place/i.test(name)) return /\b(?:in|for|at) (\p{Lu}\p{L}+)/u.exec(hint)?.[1] ?? 'Paris'
  if (/path|file/i.test(name)) return 'README.md'
  if (/url|uri/i.test(name)) return 'https://example.com'
  if (/command/i.test(name)) return 'echo hello from the simulated Claude'
  if (/pattern|glob/i.test(name)) return '*.md'
  return excerpt(hint) || 'simulated'
}
