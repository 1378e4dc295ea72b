import { expect, test } from 'vitest'
import { packReasoning, unpackReasoning } from '../../../core/openai/reasoning-envelope.ts'

test('what is packed unpacks to the same thinking, whatever its characters', () => {
  const thinking = { thinking: 'Überlegung 思考 \u0000 "quoted" 🤔', signature: 'sig==' }
  const block = { type: 'thinking', ...thinking } as const
  expect(unpackReasoning(packReasoning(block))).toEqual(block)
  const redacted = { type: 'redacted_thinking', data: 'EmwKAhgB==' } as const
  expect(unpackReasoning(packReasoning(redacted))).toEqual(redacted)
})

test.each([
  ['nothing', undefined],
  ['an empty text', ''],
  ['what is no base64', '%%%'],
  ['what is no JSON', btoa('thinking')],
  ['another envelope', btoa('{"thinking":"a","signature":"b","more":1}')],
  ['thinking without a signature', btoa('{"thinking":"a","signature":""}')],
  ['bytes that are no text', btoa('{"thinking":"\u00ff","signature":"b"}').slice(0, -4)],
])('%s is none of ours', (_what, text) => {
  expect(unpackReasoning(text)).toBeUndefined()
})
