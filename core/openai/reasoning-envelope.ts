/**
 * Thinking, as it travels through OpenAI's interface: `encrypted_content` of a reasoning item. Claude's own signature
 * protects it, so it is packed, not encrypted; what does not unpack is not ours.
 */
import * as z from 'zod'
import type { ThinkingBlock } from './messages-api.ts'

const Sealed = z.strictObject({ thinking: z.string(), signature: z.string().min(1) })

export function seal({ thinking, signature }: { thinking: string; signature: string }): string {
  const bytes = new TextEncoder().encode(JSON.stringify({ thinking, signature }))
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

export function unseal(sealed: string | null | undefined): ThinkingBlock | undefined {
  if (!sealed) return undefined
  try {
    const bytes = Uint8Array.from(atob(sealed), (c) => c.charCodeAt(0))
    const found = Sealed.safeParse(JSON.parse(new TextDecoder().decode(bytes)))
    return found.success ? { type: 'thinking', ...found.data } : undefined
  } catch {
    return undefined
  }
}
