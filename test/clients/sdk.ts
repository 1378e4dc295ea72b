/** The official SDK as its users have it, typed by hand: it is installed by `install.ts`, not by package.json. */
import { SDK_MODULE } from './install.ts'

interface SdkBlock {
  type: string
  text?: string
  id?: string
  name?: string
  input?: unknown
}
export interface SdkMessage {
  model: string
  role: string
  content: SdkBlock[]
  stop_reason: string
  usage: {
    input_tokens: number
    output_tokens: number
    cache_read_input_tokens: number
    cache_creation_input_tokens: number
  }
  _request_id?: string
}
interface SdkStream {
  on(event: 'text', listener: (delta: string, snapshot: string) => void): this
  abort(): void
  finalMessage(): Promise<SdkMessage>
}
interface SdkModel {
  id: string
  display_name: string
}
interface SdkClient {
  messages: {
    create(parameters: object): Promise<SdkMessage>
    stream(parameters: object): SdkStream
    countTokens(parameters: object): Promise<{ input_tokens: number }>
  }
  models: {
    list(parameters?: object): AsyncIterable<SdkModel>
    retrieve(id: string): Promise<SdkModel>
  }
}
interface SdkOptions {
  baseURL: string
  apiKey: string | null
  authToken: string | null
  maxRetries?: number
  fetch: typeof fetch
}

// What the file exports, as its own declarations say; they are not there when this is checked.
const { default: Anthropic } = (await import(SDK_MODULE)) as {
  default: new (options: SdkOptions) => SdkClient
}

export interface Sdk extends SdkClient {
  /** Status of every answer it was given, in turn: one a request. */
  statuses: number[]
}

/** A client of its own. `bearer` sends the key as a token, as Claude Code does. */
export function sdk(
  baseURL: string,
  key: string,
  options: { maxRetries?: number; bearer?: boolean } = {},
): Sdk {
  const { bearer = false, ...rest } = options
  const statuses: number[] = []
  const client = new Anthropic({
    baseURL,
    apiKey: bearer ? null : key,
    authToken: bearer ? key : null,
    ...rest,
    async fetch(input, init) {
      const response = await fetch(input, init)
      statuses.push(response.status)
      return response
    },
  })
  return Object.assign(client, { statuses })
}

/** What a program can tell about an error of the SDK. */
export interface SdkFailure {
  name: string
  status: number | undefined
  type: string | null
  message: string | null
  headers: Headers | undefined
}

/** The error that a call ends with. */
export async function failureOf(call: Promise<unknown>): Promise<SdkFailure> {
  const thrown = await call.then(
    (value) => Promise.reject(new Error(`it succeeded: ${JSON.stringify(value)}`)),
    (error: unknown) => error,
  )
  // Every error of the SDK has these (its APIError); of anything else they are undefined and no test passes.
  const { status, type, apiMessage, headers } = thrown as {
    status: number | undefined
    type: string | null
    apiMessage: string | null
    headers: Headers | undefined
  }
  return {
    name: thrown instanceof Error ? thrown.constructor.name : '',
    status,
    type,
    message: apiMessage,
    headers,
  }
}
