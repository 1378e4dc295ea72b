/** Translates OpenAI's requests as the gateway does, and checks that Claude takes what comes out. */
import { shippedAbilities } from '../../adapters/shared/tables.ts'
import { Refusal } from '../../core/errors.ts'
import { type Abilities, abilitiesOf } from '../../core/models/abilities.ts'
import { chatToMessages } from '../../core/openai/request/chat-request.ts'
import { ChatRequest } from '../../core/openai/request/chat-shape.ts'
import { parsedBody } from '../../core/openai/request/refuse.ts'
import { responsesToMessages } from '../../core/openai/request/responses-request.ts'
import { ResponsesRequest } from '../../core/openai/request/responses-shape.ts'
import { StrictMessagesRequest } from './messages-schema.ts'

const TABLE = shippedAbilities()
export const context = (model: string, change: Partial<Abilities> = {}) => ({
  model,
  abilities: { ...abilitiesOf(TABLE, model), ...change },
  userId: 'opaque',
  webSearch: true,
  automaticCaching: true,
})
export const HI = [{ role: 'user', content: 'hi' }]
export const chat = (body: object, model = 'claude-opus-5-5') => {
  const result = chatToMessages(parsedBody(ChatRequest, { model, messages: HI, ...body }), context(model))
  StrictMessagesRequest.parse(result.request)
  return result
}
export const responses = (body: object, model = 'claude-opus-5-5') => {
  const asked = parsedBody(ResponsesRequest, { model, input: 'hi', ...body })
  const result = responsesToMessages(asked, context(model))
  StrictMessagesRequest.parse(result.request)
  return result
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
