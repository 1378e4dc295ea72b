/** Claude's thinking among the output items: as a summary, and packed so that the next request can send it back. */
import { packReasoning } from '../reasoning-envelope.ts'
import type { Emit, Item, Place } from './item.ts'

/** `redacted`: thinking that only Claude can read. */
export function createReasoningItem(
  emit: Emit,
  place: Place,
  { packsThinking, redacted }: { packsThinking: boolean; redacted?: string | undefined },
): Item {
  const pieces: string[] = []
  let signature = ''
  const at = { ...place, summary_index: 0 }
  const part = () => ({ type: 'summary_text', text: pieces.join('') })

  function packed(): string | undefined {
    if (redacted !== undefined) return packReasoning({ type: 'redacted_thinking', data: redacted })
    return signature === ''
      ? undefined
      : packReasoning({ type: 'thinking', thinking: pieces.join(''), signature })
  }

  return {
    hasNoStatus: true,
    delta(delta) {
      if (delta.type === 'signature_delta') signature += delta.signature
      if (delta.type !== 'thinking_delta' || delta.thinking === '') return ''
      const opening =
        pieces.length === 0 ? emit('response.reasoning_summary_part.added', { ...at, part: part() }) : ''
      pieces.push(delta.thinking)
      return opening + emit('response.reasoning_summary_text.delta', { ...at, delta: delta.thinking })
    },
    end() {
      if (pieces.length === 0) return ''
      const whole = emit('response.reasoning_summary_text.done', { ...at, text: pieces.join('') })
      return whole + emit('response.reasoning_summary_part.done', { ...at, part: part() })
    },
    view(done) {
      const encrypted_content = packsThinking && done ? packed() : undefined
      return {
        type: 'reasoning',
        summary: done && pieces.length > 0 ? [part()] : [],
        ...(encrypted_content === undefined ? {} : { encrypted_content }),
      }
    },
  }
}
