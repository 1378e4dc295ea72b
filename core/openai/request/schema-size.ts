/** The size of JSON schemas, with which Claude's compiler has to cope (core/calls/PROTOCOL.md, Schemas). */
import { isJsonObject } from '../../json/exact.ts'
import { unsupported } from './refuse.ts'

/** Levels of nested schemas, references included. */
export const DEEPEST = 64
/** The most schemas after every reference is expanded, because a compiler expands them too. */
export const MOST_SCHEMAS = 20_000
/** The most properties of a request's strict schemas that may be left out, and that have several types. */
const MOST_OPTIONAL = 24
const MOST_UNIONS = 16

export type Schema = Record<string, unknown>
export interface Properties {
  optional: number
  unions: number
}

/** How many properties may be left out and how many have several types, at all levels. */
export function propertiesOf(schema: Schema): Properties {
  const total: Properties = { optional: 0, unions: 0 }
  const add = (one: Schema) => {
    if (isJsonObject(one.properties)) {
      const required = new Set(Array.isArray(one.required) ? one.required : [])
      for (const [name, property] of Object.entries(one.properties)) {
        if (!required.has(name)) total.optional += 1
        if (isJsonObject(property) && (Array.isArray(property.anyOf) || Array.isArray(property.type)))
          total.unions += 1
      }
    }
    childrenOf(one).forEach(add)
  }
  add(schema)
  return total
}

export function withinLimits({ optional, unions }: Properties): boolean {
  return optional <= MOST_OPTIONAL && unions <= MOST_UNIONS
}

/**
 * Checks the size of a schema with its references expanded. The size of each target is computed once, so that references
 * that double at each level stay cheap. Throws a Refusal unsupported_value.
 */
export function assertFinite(root: Schema, param: string) {
  const sizes = new Map<string, number>()
  const target = targetsIn(root)
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
    const found = target($ref)
    if (open.includes($ref) || found === root) {
      throw unsupported(param, 'schemas that contain themselves are not taken')
    }
    const size = found ? sizeOf(found, [...open, $ref], depth + 1) : 0
    sizes.set($ref, size)
    return size
  }
  sizeOf({ ...root, $defs: undefined, definitions: undefined }, [], 0)
}

/** Finds what references lead to: each once, because they may be as long as the schema and stand wherever one is copied. */
export function targetsIn(root: Schema): (reference: string) => Schema | undefined {
  const found = new Map<string, Schema | undefined>()
  return (reference) => {
    if (!found.has(reference)) found.set(reference, targetOf(root, reference))
    return found.get(reference)
  }
}

function targetOf(root: Schema, reference: string): Schema | undefined {
  if (reference === '#') return root
  const path = reference
    .slice(2)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  const found = path.reduce<unknown>(
    (node, key) => (isJsonObject(node) ? (node[key] ?? node[decoded(key)]) : undefined),
    root,
  )
  return isJsonObject(found) ? found : undefined
}

/** A part of a reference is percent-encoded (https://www.rfc-editor.org/rfc/rfc6901#section-6), which not everybody does. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export function childrenOf(schema: Schema): Schema[] {
  return Object.entries(schema).flatMap(([key, value]) => {
    if (key === 'enum' || key === 'const' || key === 'default' || key === 'examples') return []
    const inner =
      key === 'properties' || key === '$defs' || key === 'definitions' ? values(value) : [value].flat()
    return inner.filter(isJsonObject)
  })
}

function values(value: unknown): unknown[] {
  return isJsonObject(value) ? Object.values(value) : []
}
