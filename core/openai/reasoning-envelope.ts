/**
 * Carries what is Claude's through OpenAI's API as `encrypted_content`: base64 of JSON. Thinking is packed, not encrypted,
 * because Claude's signature protects it, and a summary is the caller's own. Content that does not unpack came from
 * somewhere else.
 */
import * as z from 'zod'
import { fromBase64 } from '../bytes.ts'
import { shapeOf } from '../json/bounds.ts'
import { parsedJson } from '../json/parse.ts'
import type { RedactedThinkingBlock, ThinkingBlock } from './messages-api.ts'

const Thinking = z.strictObject({ thinking: z.string(), signature: z.string().min(1) })
const Redacted = z.strictObject({ redacted: z.string().min(1) })
const Summary = z.strictObject({ summary: z.string().min(1) })

export function packReasoning(block: ThinkingBlock | RedactedThinkingBlock): string {
  if (block.type === 'redacted_thinking') return packed({ redacted: block.data })
  return packed({ thinking: block.thinking, signature: block.signature })
}

export function unpackReasoning(
  text: string | null | undefined,
): ThinkingBlock | RedactedThinkingBlock | undefined {
  const content = unpacked(text)
  const thinking = Thinking.safeParse(content)
  if (thinking.success) return { type: 'thinking', ...thinking.data }
  const redacted = Redacted.safeParse(content)
  return redacted.success ? { type: 'redacted_thinking', data: redacted.data.redacted } : undefined
}

/** The summary of a conversation, for a compaction item. */
export function packSummary(summary: string): string {
  return packed({ summary })
}

export function unpackSummary(text: string | null | undefined): string | undefined {
  return Summary.safeParse(unpacked(text)).data?.summary
}

function packed(content: object): string {
  const bytes = new TextEncoder().encode(JSON.stringify(content))
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

/** Two texts at most: the rest of what a caller wrote is not worth the time of parsing it. */
const ENVELOPE = { mostMembers: 2, mostNested: 0 }

function unpacked(text: string | null | undefined): unknown {
  if (!text) return undefined
  try {
    const json = new TextDecoder().decode(fromBase64(text))
    return shapeOf(json, ENVELOPE).state === 'complete' ? parsedJson(json) : undefined
  } catch {
    return undefined
  }
}
