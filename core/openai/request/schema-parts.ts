/** Puts together what several schemas say of one value (core/calls/PROTOCOL.md, Schemas). */
import { isJsonObject } from '../../json/exact.ts'
import { unsupported } from './refuse.ts'
import { DEEPEST, MOST_SCHEMAS, type Schema, targetOf } from './schema-size.ts'

export interface Around {
  root: Schema
  param: string
  warn: (text: string) => void
  depth: number
  /** Counted over the whole schema, because a part that is named often is written as often. */
  written: { schemas: number }
}

/** References that may stay, because what they lead to keeps its place. */
const NAMED = /^#\/(\$defs|definitions)\/[^/]+$/
/** Of these the first is kept without a warning, because they constrain nothing. */
const TELLING = new Set([
  'title',
  'description',
  'default',
  'examples',
  '$schema',
  '$id',
  '$comment',
  '$anchor',
])

/**
 * The schema with all parts of its `allOf` in it: Claude takes no reference in one, and every object is closed here, so that
 * nothing would fit two of them. References to unnamed places become what they lead to, because the places change. Throws a
 * Refusal unsupported_value for too much of it.
 */
export function joined(schema: Schema, around: Around): Schema {
  assertRoom(around)
  const { $ref, ...beside } = schema
  if (typeof $ref === 'string') {
    const target = NAMED.test($ref) ? undefined : targetOf(around.root, $ref)
    return target ? joined({ ...target, ...beside }, deeper(around)) : schema
  }
  const { allOf, ...own } = schema
  if (allOf === undefined) return schema
  return [allOf].flat().reduce<Schema>((whole, part, i) => {
    const here = { ...deeper(around), param: `${around.param}.allOf[${i}]` }
    return both(whole, joined(followed(schemaOf(part, here), around), here), here)
  }, own)
}

/** What a reference leads to. */
function followed(schema: Schema, { root }: Around): Schema {
  const { $ref, ...beside } = schema
  const target = typeof $ref === 'string' ? targetOf(root, $ref) : undefined
  return target ? { ...target, ...beside } : schema
}

/** Both schemas at once. Where they say different things of one value, the first holds. */
function both(one: Schema, other: Schema, around: Around): Schema {
  const copy: Schema = { ...one }
  for (const [key, value] of Object.entries(other)) {
    const said = copy[key]
    if (said === undefined) copy[key] = value
    else if (key === 'properties') copy[key] = bothNamed(said, value, around)
    else if (key === 'required') copy[key] = [...new Set([said, value].flat())]
    else if (key === '$defs' || key === 'definitions')
      copy[key] = { ...schemaOf(value, around), ...schemaOf(said, around) }
    else if (!TELLING.has(key) && JSON.stringify(said) !== JSON.stringify(value))
      around.warn(`${around.param}.${key}`)
  }
  return copy
}

function bothNamed(one: unknown, other: unknown, around: Around): Schema {
  const named = new Map(Object.entries(schemaOf(one, around)))
  const added = Object.entries(schemaOf(other, around))
  assertRoom(around, named.size + added.length)
  for (const [name, schema] of added) {
    const said = named.get(name)
    const here = { ...deeper(around), param: `${around.param}.properties.${name}` }
    named.set(name, said === undefined || said === schema ? schema : joined({ allOf: [said, schema] }, here))
  }
  return Object.fromEntries(named)
}

function assertRoom({ depth, written, param }: Around, schemas = 1) {
  if (depth > DEEPEST) throw unsupported(param, `schemas nested deeper than ${DEEPEST} are not taken`)
  written.schemas += schemas
  if (written.schemas > MOST_SCHEMAS)
    throw unsupported(param, `more than ${MOST_SCHEMAS} schemas are not taken`)
}

export function schemaOf(value: unknown, { param }: Pick<Around, 'param'>): Schema {
  if (isJsonObject(value)) return value
  throw unsupported(param, 'a schema that is an object is expected')
}

export const deeper = (around: Around): Around => ({ ...around, depth: around.depth + 1 })
