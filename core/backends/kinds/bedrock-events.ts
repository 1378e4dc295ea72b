/**
 * Bedrock's event stream as Claude's server-sent events. A `chunk` holds one event of Claude, byte for byte; an exception
 * becomes an `error` event and ends the stream:
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html
 */
import * as z from 'zod'
import { fromBase64 } from '../../bytes.ts'
import { parsedJson } from '../../json/parse.ts'
import { type AmazonFrame, createAmazonFrameReader } from '../../sse/amazon-frames.ts'
import { eventName } from '../../sse/event-name.ts'
import { withoutAccount } from './bedrock-errors.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()
const LINE_END = /\r\n|\r|\n/g

const Chunk = z.looseObject({ bytes: z.base64() })
const Exception = z.looseObject({ message: z.string().catch('') })

/** What Claude calls an exception; any other is an `api_error`. */
const ERROR_TYPE = new Map(
  Object.entries<string>({
    throttlingException: 'rate_limit_error',
    serviceUnavailableException: 'overloaded_error',
    validationException: 'invalid_request_error',
  }),
)

export interface BedrockEvents {
  /** The events that these bytes complete, undefined for none. Throws when the stream is damaged. */
  write(chunk: Uint8Array): Uint8Array | undefined
  /** The stream is over. Throws when it ended within an event. */
  end(): void
}

export function createBedrockEvents(): BedrockEvents {
  const frames = createAmazonFrameReader()
  let failed = false
  return {
    write(chunk) {
      let events = ''
      for (const frame of failed ? [] : frames.write(chunk)) {
        if (failed) break
        const error = errorOf(frame)
        events += error ? eventOf('error', JSON.stringify({ type: 'error', error })) : chunkOf(frame)
        failed = error !== undefined
      }
      return events === '' ? undefined : ENCODER.encode(events)
    },
    end() {
      if (!failed) frames.end()
    },
  }
}

function errorOf(frame: AmazonFrame): { type: string; message: string } | undefined {
  const kind = frame.header(':message-type')
  if (kind !== 'exception' && kind !== 'error') return undefined
  const name = frame.header(kind === 'error' ? ':error-code' : ':exception-type') ?? ''
  const said = Exception.safeParse(parsedJson(DECODER.decode(frame.payload))).data?.message
  const message = said || frame.header(':error-message') || 'The upstream broke its answer off.'
  return { type: ERROR_TYPE.get(name) ?? 'api_error', message: withoutAccount(message) }
}

/** '' for what is no event of Claude, such as a sign of life. Throws when a chunk is not what it says. */
function chunkOf(frame: AmazonFrame): string {
  if (frame.header(':event-type') !== 'chunk') return ''
  const { bytes } = Chunk.parse(parsedJson(DECODER.decode(frame.payload)))
  const data = DECODER.decode(fromBase64(bytes))
  const name = eventName(undefined, data)
  return name === undefined ? '' : eventOf(name, data)
}

function eventOf(name: string, data: string): string {
  return `event: ${name}\ndata: ${data.replace(LINE_END, '\ndata: ')}\n\n`
}
