/** Reads the one string of a small JSON object while it is being written. */

import { boundedJson } from '../../json/bounds.ts'
import { isRecord } from '../../json/is-record.ts'
import { parsedJson } from '../../json/parse.ts'

const UNIT = /^\\u[\da-fA-F]{4}$/
const UNIT_LENGTH = 6
const FIRST_OF_PAIR = /^\\u[dD][89abAB]/

export function createStringReader(key: string) {
  const opening = new RegExp(`^\\s*\\{\\s*"${key}"\\s*:\\s*"`)
  const pieces: string[] = []
  const told: string[] = []
  /** What is not told yet: the opening, or an escape that is cut. */
  let rest = ''
  let state: 'opening' | 'string' | 'over' = 'opening'

  return {
    /** The next piece of the object, cut anywhere; answers the text that it adds to the string. */
    add(piece: string): string {
      pieces.push(piece)
      if (state === 'over') return ''
      rest += piece
      if (state === 'opening') {
        const [found] = opening.exec(rest) ?? []
        if (found === undefined) return ''
        rest = rest.slice(found.length)
        state = 'string'
      }
      const { to, ends } = readable(rest)
      const text = parsedJson(`"${rest.slice(0, to)}"`)
      rest = rest.slice(to)
      if (ends || typeof text !== 'string') state = 'over'
      if (typeof text !== 'string') return ''
      told.push(text)
      return text
    },
    /** The whole string; of one that was cut off, what came of it; what came instead, if it is not there. */
    whole(): string {
      const json = pieces.join('')
      const value = boundedJson(json)
      const text = isRecord(value) ? value[key] : undefined
      if (typeof text === 'string') return text
      return value === undefined && told.length > 0 ? told.join('') : json
    },
  }
}

/** How far a string's text can be read: to its closing quote, or to an escape that is cut. */
function readable(text: string): { to: number; ends: boolean } {
  let i = 0
  while (i < text.length) {
    if (text[i] === '"') return { to: i, ends: true }
    const length = text[i] === '\\' ? escapeLength(text, i) : 1
    if (length === undefined) return { to: i, ends: false }
    i += length
  }
  return { to: i, ends: false }
}

/** The length of the escape at `from`, of both halves of a surrogate pair together; undefined if it is cut. */
function escapeLength(text: string, from: number): number | undefined {
  if (from + 1 === text.length) return undefined
  if (text[from + 1] !== 'u') return 2
  const unit = text.slice(from, from + UNIT_LENGTH)
  if (unit.length < UNIT_LENGTH) return undefined
  if (!FIRST_OF_PAIR.test(unit)) return UNIT_LENGTH
  const second = text.slice(from + UNIT_LENGTH, from + 2 * UNIT_LENGTH)
  if (UNIT.test(second)) return 2 * UNIT_LENGTH
  const mayGoOn =
    second === '' || (second.length < UNIT_LENGTH && (second === '\\' || second.startsWith('\\u')))
  return mayGoOn ? undefined : UNIT_LENGTH
}
