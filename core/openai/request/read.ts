/** Reads the body of a request to OpenAI's APIs, with every digit of the numbers that are sent on. */
import { invalidField } from '../../errors.ts'
import { DEEPEST, MOST_MEMBERS, MOST_NESTED, MOST_VALUES } from '../../json/bounds.ts'
import { exactJson, mayLoseDigits } from '../../json/exact.ts'
import { isRecord } from '../../json/is-record.ts'
import { createScan, type Span, wantedKeys } from '../../json/scan.ts'

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
/** The members with JSON schemas and with Claude's own parameters. Arguments of tool calls are texts already. */
const SENT_ON = wantedKeys({ tools: 0, functions: 0, response_format: 0, text: 0, thinking: 0 })

/** Throws a Refusal invalid_input. */
export function bodyOf(bytes: Uint8Array): unknown {
  const members = new Map<string, Span>()
  const scan = createScan(SENT_ON, (member) => members.set(member.key, member), {
    deepest: DEEPEST,
    mostMembers: MOST_MEMBERS,
    mostNested: MOST_NESTED,
    mostValues: MOST_VALUES,
  })
  scan.write(bytes)
  const state = scan.state()
  if (state === 'too deep') throw invalidField('body', 'it is nested too deep')
  if (state === 'too many')
    throw invalidField(
      'body',
      `at most ${MOST_MEMBERS} members, ${MOST_NESTED} objects and lists and ${MOST_VALUES} values are expected`,
    )
  if (state !== 'complete') throw invalidField('body', 'a JSON object is expected')
  try {
    const body: unknown = JSON.parse(DECODER.decode(bytes))
    if (isRecord(body)) {
      for (const [key, { start, end }] of members) {
        const text = DECODER.decode(bytes.subarray(start, end))
        if (mayLoseDigits(text)) body[key] = exactJson(text)
      }
    }
    return body
  } catch {
    throw invalidField('body', 'valid JSON is expected')
  }
}
