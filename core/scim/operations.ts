/** The operations of a PATCH as directories send them: https://www.rfc-editor.org/rfc/rfc7644#section-3.5.2 */
import { Refusal } from '../errors.ts'
import { isRecord } from '../json/is-record.ts'
import { isOurs } from './document.ts'
import { type Filter, parseFilter } from './filter.ts'
import { segmentsOf, spelled } from './names.ts'

/** Where an operation works: an attribute, those of its values that meet the filter, and a part of them. */
export interface Target {
  path: string[]
  filter: Filter | undefined
  sub: string | undefined
}

export interface Operation {
  does: 'add' | 'replace' | 'remove'
  target: Target
  value: unknown
}

export interface GivenOperation {
  op: string
  path?: string | undefined
  value?: unknown
}

const MOST = 1_000
const KINDS = ['add', 'replace', 'remove'] as const

/**
 * One operation per attribute: a value without a path names several. What is ours is left out there, because some directories
 * send the id along. Throws a Refusal: invalid_input, path_invalid, filter_invalid, no_target.
 */
export function operationsIn(given: readonly GivenOperation[]): Operation[] {
  if (given.length > MOST) throw new Refusal('invalid_input', `At most ${MOST} operations are taken at once.`)
  return given.flatMap(({ op, path, value }) => {
    const does = KINDS.find((kind) => kind === op.toLowerCase())
    if (!does) throw new Refusal('invalid_input', 'op: add, replace or remove is expected.')
    if (path !== undefined && path !== '') return [{ does, target: targetAt(path), value }]
    if (does === 'remove') throw new Refusal('no_target', 'A path is expected where something is removed.')
    if (!isRecord(value))
      throw new Refusal('invalid_input', 'value: an object is expected where there is no path.')
    const own = Object.entries(value).filter(([name]) => !isOurs(spelled(name)))
    return own.map(([name, inner]): Operation => ({ does, target: targetAt(name, inner), value: inner }))
  })
}

/** e.g. `name.givenName`, `emails[type eq "work"].value`, `urn:…:User:department`; with an object as value also a schema. */
function targetAt(text: string, value?: unknown): Target {
  const [, attribute = '', inner, sub] = /^([^[\]]+)(?:\[(.*)\](?:\.([\w$]+))?)?$/.exec(text.trim()) ?? []
  const isSchema = attribute.startsWith('urn:') && isRecord(value)
  const path = isSchema ? [spelled(attribute)] : segmentsOf(attribute)
  if (!path) throw new Refusal('path_invalid', `The path ${text.slice(0, 80)} cannot be read.`)
  if (isOurs(path[0] ?? '')) throw new Refusal('path_invalid', `${path[0]} cannot be set.`)
  return { path, filter: inner === undefined ? undefined : parseFilter(inner), sub: sub && spelled(sub) }
}
