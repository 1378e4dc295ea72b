/** Puts together what several schemas say of one value (core/calls/PROTOCOL.md, Schemas). */
import { isJsonObject } from '../../json/exact.ts'
import { unsupported } from './refuse.ts'
import { DEEPEST, MOST_SCHEMAS, type Schema } from './schema-size.ts'

export interface Around {
  /** What a reference leads to. */
  target: (reference: string) => Schema | undefined
  param: string
  warn: (text: string) => void
  depth: number
  /** Counted over the whole schema, because a part that is named often is written, copied and compared as often. */
  written: { schemas: number; members: number }
}

/** Beyond, putting parts together would keep everybody waiting. */
const MOST_MEMBERS = 100_000
/** A text counts as a member for each of so many characters. */
const MEMBER_LENGTH = 100

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
  assertRoom(around, sizeOf(schema))
  around.written.schemas += 1
  if (around.written.schemas > MOST_SCHEMAS)
    throw unsupported(around.param, `more than ${MOST_SCHEMAS} schemas are not taken`)
  const { $ref, ...beside } = schema
  if (typeof $ref === 'string') {
    const target = NAMED.test($ref) ? undefined : around.target($ref)
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
function followed(schema: Schema, { target: find }: Around): Schema {
  const { $ref, ...beside } = schema
  const target = typeof $ref === 'string' ? find($ref) : undefined
  return target ? { ...target, ...beside } : schema
}

/** Both schemas at once. Where they say different things of one value, the first holds. */
function both(one: Schema, other: Schema, around: Around): Schema {
  assertRoom(around, sizeOf(one) + sizeOf(other))
  const copy: Schema = { ...one }
  for (const [key, value] of Object.entries(other)) {
    const said = copy[key]
    if (said !== undefined) assertRoom(around, sizeOf(said) + sizeOf(value))
    if (said === undefined) copy[key] = value
    else if (key === 'properties') copy[key] = bothNamed(said, value, around)
    else if (key === 'required') copy[key] = [...new Set([said, value].flat())]
    else if (key === '$defs' || key === 'definitions')
      copy[key] = { ...schemaOf(value, around), ...schemaOf(said, around) }
    else if (!TELLING.has(key) && !isSame(said, value, around)) around.warn(`${around.param}.${key}`)
  }
  return copy
}

function bothNamed(one: unknown, other: unknown, around: Around): Schema {
  const named = new Map(Object.entries(schemaOf(one, around)))
  const added = Object.entries(schemaOf(other, around))
  for (const [name, schema] of added) {
    const said = named.get(name)
    const here = { ...deeper(around), param: `${around.param}.properties.${name}` }
    named.set(name, said === undefined || said === schema ? schema : joined({ allOf: [said, schema] }, here))
  }
  return Object.fromEntries(named)
}

function isSame(one: unknown, other: unknown, around: Around): boolean {
  assertRoom(around, Math.min(sizeOf(one), sizeOf(other)))
  if (sizeOf(one) !== sizeOf(other) || Array.isArray(one) !== Array.isArray(other)) return false
  if (!isHolder(one) || !isHolder(other)) return one === other
  return Object.entries(one).every(([key, value]) => isSame(value, Reflect.get(other, key), around))
}

const isHolder = (value: unknown): value is object => typeof value === 'object' && value !== null

/** In members, of what stands in a value itself. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length / MEMBER_LENGTH
  if (Array.isArray(value)) return value.length
  return isHolder(value) ? Object.keys(value).length : 0
}

function assertRoom({ depth, written, param }: Around, members: number) {
  if (depth > DEEPEST) throw unsupported(param, `schemas nested deeper than ${DEEPEST} are not taken`)
  written.members += 1 + members
  if (written.members > MOST_MEMBERS) throw unsupported(param, 'so large a schema is not taken')
}

/** Keywords with schemas, which are weighed as such. */
const HOLDING = new Set(['properties', 'items', 'anyOf', 'oneOf', 'allOf', '$defs', 'definitions'])

/** Counts all that is written of a schema but the schemas in it, because each reference to it writes it once more. */
export function weigh(schema: Schema, around: Around) {
  const add = (value: unknown) => {
    assertRoom(around, typeof value === 'string' ? sizeOf(value) : 0)
    if (isHolder(value)) for (const one of Object.values(value)) add(one)
  }
  for (const [key, value] of Object.entries(schema)) if (!HOLDING.has(key)) add(value)
}

export function schemaOf(value: unknown, { param }: Pick<Around, 'param'>): Schema {
  if (isJsonObject(value)) return value
  throw unsupported(param, 'a schema that is an object is expected')
}

export const deeper = (around: Around): Around => ({ ...around, depth: around.depth + 1 })
