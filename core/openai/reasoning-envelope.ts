/**
 * Carries Claude's thinking through OpenAI's API as `encrypted_content` of a reasoning item: base64 of JSON. It is packed,
 * not encrypted, because Claude's signature protects it. Content that does not unpack came from somewhere else.
 */
import * as z from 'zod'
import type { ThinkingBlock } from './messages-api.ts'

const Envelope = z.strictObject({ thinking: z.string(), signature: z.string().min(1) })

export function packReasoning({ thinking, signature }: { thinking: string; signature: string }): string {
  const bytes = new TextEncoder().encode(JSON.stringify({ thinking, signature }))
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

export function unpackReasoning(packed: string | null | undefined): ThinkingBlock | undefined {
  if (!packed) return undefined
  try {
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0))
    const found = Envelope.safeParse(JSON.parse(new TextDecoder().decode(bytes)))
    return found.success ? { type: 'thinking', ...found.data } : undefined
  } catch {
    return undefined
  }
}
