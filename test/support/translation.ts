/** Translates OpenAI's requests as the gateway does, and checks that Claude takes what comes out. */
import { shippedAbilities } from '../../adapters/shared/tables.ts'
import { Refusal } from '../../core/errors.ts'
import { type Abilities, abilitiesOf } from '../../core/models/abilities.ts'
import { requestText } from '../../core/openai/messages-api.ts'
import type { Translated, TranslationContext } from '../../core/openai/request/assemble.ts'
import { chatToMessages } from '../../core/openai/request/chat-request.ts'
import { ChatRequest } from '../../core/openai/request/chat-shape.ts'
import { bodyOf } from '../../core/openai/request/read.ts'
import { parsedBody } from '../../core/openai/request/refuse.ts'
import { responsesToMessages } from '../../core/openai/request/responses-request.ts'
import { ResponsesRequest } from '../../core/openai/request/responses-shape.ts'
import { taken } from './claude-rules.ts'

const TABLE = shippedAbilities()
export const context = (model: string, change: Partial<Abilities> = {}) => ({
  model,
  abilities: { ...abilitiesOf(TABLE, model), ...change },
  userId: 'opaque',
  webSearch: true,
  automaticCaching: true,
})
/** Of an answer in responses, with nothing special. */
export const RESPONSES = {
  model: 'm',
  created: 1,
  echo: {},
  packsThinking: false,
  tellsSources: false,
  compacts: false,
  tools: new Map(),
}
export const HI = [{ role: 'user', content: 'hi' }]

/** The request as Claude reads it, which keeps all its rules, and the text that is sent. */
function checked({ request, ...rest }: Translated, { abilities }: TranslationContext) {
  const text = requestText(request)
  return { ...rest, request: taken(text, abilities), text }
}
/** The body goes through the reader of bodies, as in the gateway. */
const read = (body: string) => bodyOf(new TextEncoder().encode(body))

const textOf = (body: object | string, usual: object) =>
  typeof body === 'string'
    ? `${JSON.stringify(usual).slice(0, -1)},${body.slice(1)}`
    : JSON.stringify({ ...usual, ...body })

/** `body`: what is asked beside a model and a message; as a text it is the whole body but for the model. */
export const chat = (body: object | string, model = 'claude-opus-5-5') => {
  const around = context(model)
  return checked(
    chatToMessages(parsedBody(ChatRequest, read(textOf(body, { model, messages: HI }))), around),
    around,
  )
}
export const responses = (body: object, model = 'claude-opus-5-5') => {
  const around = context(model)
  const asked = parsedBody(ResponsesRequest, read(textOf(body, { model, input: 'hi' })))
  return checked(responsesToMessages(asked, around), around)
}
export const refusal = (translate: () => unknown) => {
  try {
    translate()
  } catch (cause) {
    if (cause instanceof Refusal) return { code: cause.code, param: Object.keys(cause.fields ?? {})[0] }
    throw cause
  }
  throw new Error('it was taken')
}

export const OLD = 'claude-opus-4-5'
export const FOUR_SIX = 'claude-opus-4-6'
export const PDF = 'data:application/pdf;base64,JVBERi0='
export const PNG = 'data:image/png;base64,iVBORw0KGgo='
export const tool = (name: string, more: object = {}) => ({ type: 'function', function: { name, ...more } })
