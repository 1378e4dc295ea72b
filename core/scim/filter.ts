/** SCIM's filters: read, and tried on a resource. https://www.rfc-editor.org/rfc/rfc7644#section-3.4.2.2 */
import { Refusal } from '../errors.ts'
import { isRecord } from '../json/is-record.ts'
import { segmentsOf } from './names.ts'

const OPERATORS = ['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le'] as const
type Operator = (typeof OPERATORS)[number]
type Literal = string | number | boolean | null

export type Filter =
  | { is: 'and' | 'or'; all: Filter[] }
  | { is: 'not'; one: Filter }
  /** Some value of a multi-valued attribute meets the filter in brackets. */
  | { is: 'some'; path: string[]; of: Filter }
  | { is: 'present'; path: string[] }
  | { is: 'compare'; path: string[]; operator: Operator; value: Literal }

const LONGEST = 2_000
const DEEPEST = 20

/** Throws a Refusal filter_invalid. */
export function parseFilter(text: string): Filter {
  if (text.length > LONGEST) throw invalid('it is too long')
  const reader = createReader(text)
  const filter = anyOf(reader, 0)
  if (reader.peek() !== undefined) throw invalid(`${reader.peek()} is not expected`)
  return filter
}

interface Reader {
  peek(): string | undefined
  next(): string | undefined
  /** Takes the token if it comes next; words in any case. */
  take(token: string): boolean
}

function createReader(text: string): Reader {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[()[\]]|[^\s()[\]"]+|"/g) ?? []
  let at = 0
  return {
    peek: () => tokens[at],
    next: () => tokens[at++],
    take(token) {
      const taken = tokens[at]?.toLowerCase() === token
      if (taken) at++
      return taken
    },
  }
}

function anyOf(reader: Reader, depth: number): Filter {
  if (depth > DEEPEST) throw invalid('it is nested too deep')
  const all = [allOf(reader, depth)]
  while (reader.take('or')) all.push(allOf(reader, depth))
  return oneOr('or', all)
}

function allOf(reader: Reader, depth: number): Filter {
  const all = [one(reader, depth)]
  while (reader.take('and')) all.push(one(reader, depth))
  return oneOr('and', all)
}

function oneOr(is: 'and' | 'or', all: Filter[]): Filter {
  const [first, ...rest] = all
  return first && rest.length === 0 ? first : { is, all }
}

function one(reader: Reader, depth: number): Filter {
  const negated = reader.take('not')
  if (reader.take('(')) {
    const inner = anyOf(reader, depth + 1)
    if (!reader.take(')')) throw invalid('a closing parenthesis is missing')
    return negated ? { is: 'not', one: inner } : inner
  }
  if (negated) throw invalid('not is followed by a parenthesis')
  const path = pathIn(reader.next())
  if (!reader.take('[')) return comparison(reader, path)
  const inner = anyOf(reader, depth + 1)
  if (!reader.take(']')) throw invalid('a closing bracket is missing')
  // emails[type eq "work"].value eq "x": the same value meets both.
  if (!reader.peek()?.startsWith('.')) return { is: 'some', path, of: inner }
  const sub = pathIn(reader.next()?.slice(1))
  return { is: 'some', path, of: { is: 'and', all: [inner, comparison(reader, sub)] } }
}

function comparison(reader: Reader, path: string[]): Filter {
  const word = reader.next()?.toLowerCase()
  if (word === 'pr') return { is: 'present', path }
  const operator = OPERATORS.find((known) => known === word)
  if (!operator) throw invalid(`${word ?? 'nothing'} is no operator`)
  return { is: 'compare', path, operator, value: literal(reader.next()) }
}

function pathIn(text: string | undefined): string[] {
  const path = text === undefined ? undefined : segmentsOf(text)
  if (!path) throw invalid('the name of an attribute is expected')
  return path
}

function literal(token: string | undefined): Literal {
  if (token !== undefined && /^("|-?\d|true$|false$|null$)/i.test(token)) {
    try {
      const value: unknown = JSON.parse(token.startsWith('"') ? token : token.toLowerCase())
      if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value as Literal // just checked
    } catch {
      // As below.
    }
  }
  throw invalid('a value in quotation marks is expected')
}

function invalid(problem: string): Refusal {
  return new Refusal('filter_invalid', `The filter cannot be read: ${problem}.`)
}

/** Compared in their very case: https://www.rfc-editor.org/rfc/rfc7643#section-3.1 */
const EXACT = new Set(['id', 'externalId'])

export function matches(filter: Filter, resource: unknown): boolean {
  switch (filter.is) {
    case 'and':
      return filter.all.every((each) => matches(each, resource))
    case 'or':
      return filter.all.some((each) => matches(each, resource))
    case 'not':
      return !matches(filter.one, resource)
    case 'some':
      return valuesAt(resource, filter.path).some((value) => matches(filter.of, value))
    case 'present':
      return valuesAt(resource, filter.path).some((value) => value !== '')
    case 'compare': {
      const { path, operator, value } = filter
      const isExact = EXACT.has(path.at(-1) ?? '')
      const found = valuesAt(resource, path).map((each) => (isRecord(each) ? each.value : each))
      if (operator === 'ne') return !found.some((each) => compares('eq', each, value, isExact))
      if (value === null) return found.length === 0
      return found.some((each) => compares(operator, each, value, isExact))
    }
  }
}

/** What stands at a path, each of several values on its own; nothing where there is no value. */
function valuesAt(from: unknown, [name, ...rest]: readonly string[]): unknown[] {
  if (name === undefined) return [from].flat().filter((value) => value !== undefined && value !== null)
  return [from].flat().flatMap((value) => {
    if (isRecord(value)) return Object.hasOwn(value, name) ? valuesAt(value[name], rest) : []
    // The values of a simple list are what `value` means.
    return name === 'value' && rest.length === 0 ? valuesAt(value, []) : []
  })
}

function compares(operator: Operator, found: unknown, wanted: Literal, isExact: boolean): boolean {
  if (typeof found === 'boolean' || typeof wanted === 'boolean') {
    return operator === 'eq' && String(found).toLowerCase() === String(wanted).toLowerCase()
  }
  if (typeof found === 'number' && typeof wanted === 'number') return ordered(operator, found - wanted)
  if (typeof found !== 'string' || typeof wanted !== 'string') return false
  const difference = timeIn(found) - timeIn(wanted)
  if (!Number.isNaN(difference) && !TEXTUAL.has(operator)) return ordered(operator, difference)
  const [a, b] = isExact ? [found, wanted] : [found.toLowerCase(), wanted.toLowerCase()]
  if (operator === 'co') return a.includes(b)
  if (operator === 'sw') return a.startsWith(b)
  if (operator === 'ew') return a.endsWith(b)
  return ordered(operator, a < b ? -1 : a > b ? 1 : 0)
}

const TEXTUAL: ReadonlySet<Operator> = new Set(['co', 'sw', 'ew'])

/** Times are compared as such, however precisely they are written; NaN for other text. */
function timeIn(text: string): number {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN
}

function ordered(operator: Operator, difference: number): boolean {
  switch (operator) {
    case 'eq':
      return difference === 0
    case 'gt':
      return difference > 0
    case 'ge':
      return difference >= 0
    case 'lt':
      return difference < 0
    case 'le':
      return difference <= 0
    default:
      return false
  }
}

/**
 * What each of `path` must equal for the filter to be met, if the filter says so: the values of `value eq "a" or value eq "b"`,
 * of `userName eq "a" and …`, of `members[value eq "a"]`. Undefined if it says nothing of the kind.
 */
export function equals(filter: Filter, path: string): string[] | undefined {
  if (filter.is === 'compare') {
    const { operator, value } = filter
    const isIt = operator === 'eq' && filter.path.join('.') === path && typeof value === 'string'
    return isIt ? [value] : undefined
  }
  if (filter.is === 'some') {
    const before = `${filter.path.join('.')}.`
    return path.startsWith(before) ? equals(filter.of, path.slice(before.length)) : undefined
  }
  if (filter.is === 'and')
    return filter.all.map((each) => equals(each, path)).find((found) => found !== undefined)
  if (filter.is !== 'or') return undefined
  const each = filter.all.map((one) => equals(one, path))
  return each.every((found) => found !== undefined) ? each.flat() : undefined
}
