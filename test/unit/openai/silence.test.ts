/** What keeps a connection open while Claude writes what OpenAI's interfaces do not tell. */
import { expect, test } from 'vitest'
import { translated } from '../../../core/openai/reply/answer.ts'
import { createChatStream } from '../../../core/openai/reply/chat-reply.ts'
import { createResponsesStream } from '../../../core/openai/reply/responses-reply.ts'
import type { StreamTranslator } from '../../../core/openai/translator.ts'
import type { Sink } from '../../../core/ports.ts'
import { fakeClock } from '../../support/clock.ts'
import { RESPONSES } from '../../support/translation.ts'
import { sse } from '../../support/upstream.ts'

const CHAT = { model: 'm', created: 1, includeUsage: false, legacyFunctions: false }
const opening = sse({ type: 'message_start', message: { id: 'msg_a', usage: {} } })
const thought = sse(
  { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'hm' } },
)
const words = sse(
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'a summary' } },
)

/** The pieces that the client gets; each of Claude's comes `everyMs` after the one before. */
async function told(translator: StreamTranslator, pieces: readonly (string | Uint8Array)[], everyMs: number) {
  const clock = fakeClock()
  const { signal } = new AbortController()
  const answer = { warnings: [], signal, clock, usedIds: [], forcedTool: undefined }
  const reply = {
    status: 200,
    headers: [['content-type', 'text/event-stream']] as [string, string][],
    async pipe(sink: Sink) {
      for (const piece of pieces) {
        await sink.write(typeof piece === 'string' ? new TextEncoder().encode(piece) : piece)
        clock.advance(everyMs)
      }
    },
  }
  const got: string[] = []
  const write = (bytes: Uint8Array) => void got.push(new TextDecoder().decode(bytes))
  await translated({ ...answer, reply }, translator).pipe({ write, left: signal })
  return got
}
const comments = (pieces: readonly string[]) => pieces.filter((piece) => piece === ': ping\n\n').length

test.each([
  ['thinking in a chat', () => createChatStream(CHAT), thought, 6],
  ['a compaction that is written', () => createResponsesStream({ ...RESPONSES, compacts: true }), words, 5],
])('%s is no silence of minutes', async (_, translator, piece, most) => {
  const pieces = [opening, ...Array.from({ length: 13 }, () => piece)]
  expect(comments(await told(translator(), pieces, 5_000))).toBe(most)
})

test('whoever is told something gets no comments', async () => {
  const pieces = [opening, thought, thought, words, words, thought]
  expect(comments(await told(createChatStream(CHAT), pieces, 4_000))).toBe(0)
})

test('a client that reads nothing any more loses its connection when the answer breaks off', async () => {
  const { signal } = new AbortController()
  const reply = {
    status: 200,
    headers: [['content-type', 'text/event-stream']] as [string, string][],
    async pipe(sink: Sink) {
      void sink.write(new TextEncoder().encode(opening))
      throw new Error('silent for too long')
    },
  }
  const answer = { reply, warnings: [], signal, clock: fakeClock(), usedIds: [], forcedTool: undefined }
  const flowing = translated(answer, createChatStream(CHAT)).pipe({ write: () => new Promise(() => {}) })
  await expect(flowing).rejects.toThrow('silent for too long')
})
