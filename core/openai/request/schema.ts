/**
 * Adapts JSON schemas to those that Claude's structured output accepts, as Anthropic's own SDK does
 * (core/calls/PROTOCOL.md, Schemas).
 */
import { isJsonObject } from '../../json/exact.ts'
import { unsupported } from './refuse.ts'
import { type Around, deeper, joined, schemaOf, weigh } from './schema-parts.ts'
import {
  assertFinite,
  childrenOf,
  propertiesOf,
  type Schema,
  targetsIn,
  withinLimits,
} from './schema-size.ts'

const FORMATS = new Set([
  'date-time',
  'time',
  'date',
  'duration',
  'email',
  'hostname',
  'uri',
  'ipv4',
  'ipv6',
  'uuid',
])
/** Keywords that constrain nothing. */
const IDLE = new Set(['$schema', '$id', '$comment', '$anchor', 'discriminator'])
/** Keywords that hold schemas which Claude has not; they are dropped with a warning. */
const UNKNOWN = new Set([
  'not',
  'if',
  'then',
  'else',
  'patternProperties',
  'prefixItems',
  'additionalItems',
  'contains',
  'propertyNames',
  'dependentSchemas',
  'dependentRequired',
  'dependencies',
  'unevaluatedProperties',
  'unevaluatedItems',
])

/** Keywords of a strict tool's schema, beside those whose value decides. */
const STRICT = new Set([
  'type',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'anyOf',
  'allOf',
  '$ref',
  '$defs',
  'definitions',
  'description',
  'title',
  'default',
  'pattern',
  '$schema',
  '$id',
  '$comment',
])
/** Looking ahead or behind, the edges of words, and what was matched before: Claude's patterns have none of them. */
const UNKNOWN_PATTERN = /\(\?(?!:)|\\[bBk1-9]/

/**
 * A copy that Claude accepts. Bounds become a part of the description, as in Anthropic's SDK; `warn` gets keywords that are
 * dropped. Throws a Refusal unsupported_value for external or circular references, for too large schemas and for parts that
 * say no type.
 */
export function structuredSchema(schema: unknown, param: string, warn: (text: string) => void): Schema {
  const root = isJsonObject(schema) ? schema : {}
  assertFinite(root, param)
  const target = targetsIn(root)
  const copy = adapted(root, { target, param, warn, depth: 0, written: { schemas: 0, members: 0 } })
  if (!withinLimits(propertiesOf(copy))) {
    throw unsupported(param, 'at most 24 optional properties and 16 of several types are taken')
  }
  return copy
}

function adapted(schema: Schema, around: Around): Schema {
  const rest = { ...joined(schema, around) }
  weigh(rest, around)
  const take = (key: string) => {
    const value = rest[key]
    delete rest[key]
    return value
  }
  const copy: Schema = {}
  for (const key of ['$defs', 'definitions']) {
    const named = take(key)
    if (isJsonObject(named)) copy[key] = each(named, below(around, key))
  }
  const $ref = take('$ref')
  if (typeof $ref === 'string') return { ...copy, $ref }
  const choices = take('enum')
  if (Array.isArray(choices) && choices.length > 0 && choices.every(isPlain)) copy.enum = choices
  else if (choices !== undefined) rest.enum = choices
  if ('const' in rest && isPlain(rest.const)) copy.const = take('const')
  const given = take('type')
  const type = copy.enum || 'const' in copy ? undefined : (given ?? typeMeant(rest))
  if (Array.isArray(type) && type.some((one) => one === 'object' || one === 'array')) {
    return { ...copy, anyOf: type.map((one) => adapted({ ...rest, type: one }, deeper(around))) }
  }
  combine(copy, { rest, take, type, around })
  for (const key of ['description', 'title']) {
    const text = take(key)
    if (text !== undefined) copy[key] = text
  }
  if (type === 'object') describeObject(copy, take, around)
  else if (type === 'string' && FORMATS.has(String(rest.format))) copy.format = take('format')
  else if (type === 'array') {
    if (isJsonObject(rest.items)) copy.items = adapted(take('items') as Schema, below(around, 'items')) // just seen
    if (rest.minItems === 0 || rest.minItems === 1) copy.minItems = take('minItems')
  }
  return withRest(copy, rest, around)
}

/** The type of a schema that says none, by its other keywords. */
function typeMeant(schema: Schema): string | undefined {
  if (isJsonObject(schema.properties)) return 'object'
  return isJsonObject(schema.items) ? 'array' : undefined
}

interface Taking {
  rest: Schema
  take: (key: string) => unknown
  type: unknown
  around: Around
}

/** anyOf or oneOf, which Claude has as anyOf; else the type. */
function combine(copy: Schema, { rest, take, type, around }: Taking) {
  const key = ['anyOf', 'oneOf'].find((one) => Array.isArray(rest[one]))
  if (key) {
    const parts = take(key)
    copy.anyOf = Array.isArray(parts)
      ? parts.map((one, i) => adapted(schemaOf(one, around), below(around, `${key}[${i}]`)))
      : []
  } else if (copy.enum === undefined && !('const' in copy)) {
    if (type === undefined) {
      throw unsupported(around.param, 'a type, an enum, a const, a $ref or anyOf is expected in each schema')
    }
    copy.type = type
  }
}

function describeObject(copy: Schema, take: (key: string) => unknown, around: Around) {
  const properties = take('properties')
  copy.properties = isJsonObject(properties) ? each(properties, below(around, 'properties')) : {}
  const others = take('additionalProperties')
  const isOpen = others === undefined ? Object.keys(copy.properties as Schema).length === 0 : others !== false
  if (isOpen) around.warn(`${around.param}: properties that it does not name are not written`)
  copy.additionalProperties = false
  const required = take('required')
  if (Array.isArray(required)) copy.required = required
}

/** What Claude has no keyword for is said in words. */
function withRest(copy: Schema, rest: Schema, { param, warn }: Around): Schema {
  const said: string[] = []
  for (const [key, value] of Object.entries(rest)) {
    if (UNKNOWN.has(key) || key === 'oneOf') warn(`${param}.${key}`)
    else if (!IDLE.has(key)) said.push(`${key}: ${JSON.stringify(value)}`)
  }
  if (said.length === 0) return copy
  const before = typeof copy.description === 'string' ? `${copy.description}\n\n` : ''
  return { ...copy, description: `${before}{${said.join(', ')}}` }
}

function each(named: Schema, around: Around): Schema {
  return Object.fromEntries(
    Object.entries(named).map(([name, one]) => {
      const here = below(around, name)
      return [name, adapted(schemaOf(one, here), here)]
    }),
  )
}

const below = (around: Around, key: string): Around => ({
  ...around,
  param: `${around.param}.${key}`,
  depth: around.depth + 1,
})
const isPlain = (value: unknown) => typeof value !== 'object' || value === null || JSON.isRawJSON(value)

/** Whether a tool with these parameters may be marked strict without a change. */
export function isStrict(schema: unknown): boolean {
  if (!isJsonObject(schema)) return true
  if (schema.type === 'object' || isJsonObject(schema.properties)) {
    const names = Object.keys(isJsonObject(schema.properties) ? schema.properties : {})
    const required = new Set(Array.isArray(schema.required) ? schema.required : [])
    if (schema.additionalProperties !== false || names.some((name) => !required.has(name))) return false
  }
  return Object.entries(schema).every(isStrictKeyword) && childrenOf(schema).every(isStrict)
}

function isStrictKeyword([key, value]: [string, unknown]): boolean {
  if (key === 'enum') return Array.isArray(value) && value.every(isPlain)
  if (key === 'const') return isPlain(value)
  if (key === 'format') return FORMATS.has(String(value))
  if (key === 'pattern') return !UNKNOWN_PATTERN.test(String(value))
  if (key === 'allOf') return [value].flat().every((part) => isJsonObject(part) && part.$ref === undefined)
  if (key === 'minItems') return value === 0 || value === 1
  return STRICT.has(key)
}
