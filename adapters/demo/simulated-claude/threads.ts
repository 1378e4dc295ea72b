/** Threads: conversations that the account keeps, so that a request says only what is new. */
import * as z from 'zod'
import type { AnswerBlock } from './answer.ts'
import type { AskedMessage } from './asked.ts'

const Continuing = z.looseObject({
  thread: z.looseObject({ previous_message_id: z.string() }),
  messages: z.array(z.unknown()),
})

export interface Threads {
  has(messageId: string): boolean
  /** A message ends a thread, with the conversation before it where that is known. */
  keep(messageId: string, asked?: AskedMessage, content?: readonly AnswerBlock[]): void
  /** The request with all that its thread has, if it goes on with one. */
  whole(body: Buffer): Buffer
}

export function createThreads(): Threads {
  const kept = new Map<string, { system?: unknown; tools?: unknown; messages: unknown[] }>()
  return {
    has: (messageId) => kept.has(messageId),
    keep(messageId, asked, content = []) {
      if (!asked) return void kept.set(messageId, { messages: [] })
      const { system, tools } = asked
      const messages = [...asked.messages, { role: 'assistant', content }]
      kept.set(messageId, { ...(system ? { system } : {}), ...(tools ? { tools } : {}), messages })
    },
    whole(body) {
      if (!body.includes('"previous_message_id"')) return body
      const asked = Continuing.safeParse(jsonOf(body)).data
      const thread = asked && kept.get(asked.thread.previous_message_id)
      if (!thread) return body
      return Buffer.from(
        JSON.stringify({ ...thread, ...asked, messages: [...thread.messages, ...asked.messages] }),
      )
    },
  }
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}
