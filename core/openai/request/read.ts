/** Reads the body of a request to OpenAI's APIs, with every digit of the numbers that are sent on. */
import { invalidField } from '../../errors.ts'
import { DEEPEST } from '../../json/depth.ts'
import { exactJson, mayLoseDigits } from '../../json/exact.ts'
import { isRecord } from '../../json/is-record.ts'
import { createScan, wantedKeys } from '../../json/scan.ts'

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
const WHOLE = Number.POSITIVE_INFINITY
/** The members with JSON schemas and with Claude's own parameters. Arguments of tool calls are texts already. */
const SENT_ON = wantedKeys({
  tools: WHOLE,
  functions: WHOLE,
  response_format: WHOLE,
  text: WHOLE,
  thinking: WHOLE,
})

/** Throws a Refusal invalid_input. */
export function bodyOf(bytes: Uint8Array): unknown {
  /** The members that have a number which must not go through JavaScript's. */
  const exact = new Map<string, string>()
  const scan = createScan(
    SENT_ON,
    ({ key, text }) => {
      if (text !== undefined && mayLoseDigits(text)) exact.set(key, text)
      else exact.delete(key)
    },
    { deepest: DEEPEST },
  )
  scan.write(bytes)
  const state = scan.state()
  if (state === 'too deep') throw invalidField('body', 'it is nested too deep')
  if (state !== 'complete') throw invalidField('body', 'a JSON object is expected')
  try {
    const body: unknown = JSON.parse(DECODER.decode(bytes))
    if (isRecord(body)) for (const [key, text] of exact) body[key] = exactJson(text)
    return body
  } catch {
    throw invalidField('body', 'valid JSON is expected')
  }
}
