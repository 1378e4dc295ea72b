/** A summary among the output items, which only the gateway unpacks. */
import { packSummary } from '../reasoning-envelope.ts'
import type { TextItem } from './item.ts'

export function createCompactionItem(): TextItem {
  const pieces: string[] = []
  return {
    hasNoStatus: true,
    text: () => '',
    delta(delta) {
      if (delta.type === 'text_delta') pieces.push(delta.text)
      return ''
    },
    refuse: (reason) => {
      pieces.push(reason)
      return ''
    },
    end: () => '',
    view: (done) => ({ type: 'compaction', encrypted_content: done ? packSummary(pieces.join('')) : '' }),
  }
}
