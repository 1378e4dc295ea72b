/** Adapts JSON schemas to those that Claude's structured output accepts (core/calls/PROTOCOL.md, OpenAI's requests). */

import { isRecord } from '../../json/is-record.ts'
import { unsupported } from './refuse.ts'

const DROPPED = new Set([
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
  '$schema',
  'default',
  'examples',
])
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
/** Levels of nested schemas, references included. */
const DEEPEST = 64
/** The most schemas after every reference is expanded, because a compiler expands them too. */
const MOST_SCHEMAS = 20_000

type Schema = Record<string, unknown>

/** A copy that Claude accepts. Throws a Refusal unsupported_value for external or circular references and too large schemas. */
export function structuredSchema(schema: unknown, param: string): Schema {
  const root = isRecord(schema) ? schema : {}
  assertFinite(root, param)
  return adapted(root, param, 0)
}

/** Whether a tool with these parameters may be marked strict without a change. */
export function isStrict(schema: unknown): boolean {
  if (!isRecord(schema)) return true
  if (schema.type === 'object' || isRecord(schema.properties)) {
    const names = Object.keys(isRecord(schema.properties) ? schema.properties : {})
    const required = Array.isArray(schema.required) ? schema.required : []
    if (schema.additionalProperties !== false || names.some((name) => !required.includes(name))) return false
  }
  if (Object.keys(schema).some((key) => DROPPED.has(key) && key !== '$schema' && key !== 'default'))
    return false
  return childrenOf(schema).every(isStrict)
}

function adapted(schema: Schema, param: string, depth: number): Schema {
  if (depth > DEEPEST) throw unsupported(param, `schemas nested deeper than ${DEEPEST} are not taken`)
  const copy: Schema = {}
  for (const [key, value] of Object.entries(schema)) {
    if (DROPPED.has(key)) continue
    if (key === 'minItems' && typeof value === 'number' && value > 1) continue
    if (key === 'format' && !(typeof value === 'string' && FORMATS.has(value))) continue
    copy[key] =
      key === 'enum' || key === 'const' || key === 'required' ? value : below(key, value, param, depth)
  }
  if (copy.type === 'object' || isRecord(copy.properties)) copy.additionalProperties = false
  return copy
}

/** Adapts the value of a keyword. The keys below `properties` and the like are names, not keywords. */
function below(key: string, value: unknown, param: string, depth: number): unknown {
  if (Array.isArray(value)) return value.map((one) => (isRecord(one) ? adapted(one, param, depth + 1) : one))
  if (!isRecord(value)) return value
  if (key !== 'properties' && key !== '$defs' && key !== 'definitions')
    return adapted(value, param, depth + 1)
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, isRecord(one) ? adapted(one, param, depth + 1) : one]),
  )
}

/**
 * Checks the size of a schema with its references expanded. The size of each target is computed once, so that references
 * that double at each level stay cheap. Throws a Refusal unsupported_value.
 */
export function assertFinite(root: Schema, param: string) {
  const sizes = new Map<string, number>()
  const sizeOf = (schema: Schema, open: readonly string[], depth: number): number => {
    if (depth > DEEPEST) throw unsupported(param, `schemas nested deeper than ${DEEPEST} are not taken`)
    let size = 1
    const { $ref } = schema
    if (typeof $ref === 'string') size += sizes.get($ref) ?? sizeOfTarget($ref, open, depth)
    for (const child of childrenOf(schema)) size += sizeOf(child, open, depth + 1)
    if (size > MOST_SCHEMAS) throw unsupported(param, `more than ${MOST_SCHEMAS} schemas are not taken`)
    return size
  }
  const sizeOfTarget = ($ref: string, open: readonly string[], depth: number): number => {
    if (!$ref.startsWith('#')) throw unsupported(param, 'schemas at other addresses are not taken')
    const target = resolve(root, $ref)
    if (open.includes($ref) || target === root) {
      throw unsupported(param, 'schemas that contain themselves are not taken')
    }
    const size = target ? sizeOf(target, [...open, $ref], depth + 1) : 0
    sizes.set($ref, size)
    return size
  }
  sizeOf({ ...root, $defs: undefined, definitions: undefined }, [], 0)
}

function resolve(root: Schema, reference: string): Schema | undefined {
  if (reference === '#') return root
  const path = reference
    .slice(2)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  const found = path.reduce<unknown>((node, key) => (isRecord(node) ? node[key] : undefined), root)
  return isRecord(found) ? found : undefined
}

function childrenOf(schema: Schema): Schema[] {
  return Object.entries(schema).flatMap(([key, value]) => {
    if (key === 'enum' || key === 'const' || key === 'default' || key === 'examples') return []
    const inner =
      key === 'properties' || key === '$defs' || key === 'definitions' ? values(value) : [value].flat()
    return inner.filter(isRecord)
  })
}

function values(value: unknown): unknown[] {
  return isRecord(value) ? Object.values(value) : []
}
