/** A SCIM resource as the directory wrote it: names in one spelling, of a size and depth that can be stored. */
import { Refusal } from '../errors.ts'
import { isRecord } from '../json/is-record.ts'
import { storable } from '../text.ts'
import { ENTERPRISE_SCHEMA, isName, spelled } from './names.ts'

/** Everything that a directory may set, without `id`, `meta`, `schemas` and `groups`, which are ours, and without passwords. */
export type Document = Readonly<Record<string, unknown>>

const DEEPEST = 6
const OURS = new Set(['id', 'meta', 'schemas', 'groups', 'password'])

/** Whether an attribute is ours, or never kept. */
export function isOurs(name: string): boolean {
  return OURS.has(name)
}

/** Throws a Refusal invalid_input for what is nested too deep or has impossible names. */
export function documentOf(body: Readonly<Record<string, unknown>>): Document {
  const own = Object.entries(body).filter(([name]) => !isOurs(spelled(name)))
  return Object.fromEntries(own.flatMap(([name, value]) => attribute(name, value, 1)))
}

/** The same of one value. */
export function keptValue(value: unknown, depth = 1): unknown {
  if (typeof value === 'string') return storable(value)
  if (depth > DEEPEST) throw new Refusal('invalid_input', 'The resource is nested too deep.')
  if (Array.isArray(value))
    return value.filter((each) => each !== null).map((each) => keptValue(each, depth + 1))
  if (!isRecord(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => attribute(name, inner, depth + 1)),
  )
}

/** No value is the same as none of the attribute: https://www.rfc-editor.org/rfc/rfc7643#section-2.5 */
function attribute(given: string, value: unknown, depth: number): [string, unknown][] {
  if (!isName(given)) throw new Refusal('invalid_input', `${given.slice(0, 80)} is no name of an attribute.`)
  const name = spelled(given)
  if (value === null) return []
  return [[name, name === 'active' || name === 'primary' ? truth(name, value) : keptValue(value, depth)]]
}

/** Some directories send booleans as text: "False". */
export function truth(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  const text = typeof value === 'string' ? value.trim().toLowerCase() : ''
  if (text === 'true' || text === 'false') return text === 'true'
  throw new Refusal('invalid_input', `${name}: true or false is expected.`)
}

export function textIn(document: Document, name: string): string | undefined {
  const value = document[name]
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined
}

/** How lists show this person; at most 100 characters. */
export function shownName(document: Document): string {
  const name = isRecord(document.name) ? document.name : {}
  const parts = [textIn(name, 'givenName'), textIn(name, 'familyName')].filter((part) => part !== undefined)
  const shown =
    textIn(document, 'displayName') ??
    textIn(name, 'formatted') ??
    (parts.join(' ') || textIn(document, 'userName'))
  return (shown ?? '')
    .replaceAll(/\p{Cc}+/gu, ' ')
    .slice(0, 100)
    .toWellFormed()
}

/** The primary address, else the one for work, else the first. */
export function addressIn(document: Document): string | undefined {
  const all = [document.emails].flat().filter(isRecord)
  const chosen =
    all.find(({ primary }) => primary === true) ?? all.find(({ type }) => type === 'work') ?? all[0]
  return chosen && textIn(chosen, 'value')
}

/** Names by which the group is called that pays for this person: their department, else their cost centre. */
export function departmentsIn(document: Document): string[] {
  const enterprise = document[ENTERPRISE_SCHEMA]
  if (!isRecord(enterprise)) return []
  return [textIn(enterprise, 'department'), textIn(enterprise, 'costCenter')].filter(
    (name) => name !== undefined,
  )
}
