/** A message among the output items: text with citations, or a refusal. */

import { createCitedText, type UrlCitation } from './cited-text.ts'
import type { Citation } from './events.ts'
import type { Emit, Place, TextItem } from './item.ts'

export function createMessageItem(emit: Emit, place: Place): TextItem {
  const pieces: string[] = []
  const annotations: object[] = []
  const cited = createCitedText()
  let hasText = false
  let refusal: string | undefined

  const textPart = () => ({ type: 'output_text', text: pieces.join(''), annotations, logprobs: [] })
  const refusalPart = () => ({ type: 'refusal', refusal })
  const atText = { ...place, content_index: 0 }

  function annotate(citation: UrlCitation): string {
    const annotation = { type: 'url_citation', ...citation }
    annotations.push(annotation)
    const fields = { ...atText, annotation_index: annotations.length - 1, annotation }
    return emit('response.output_text.annotation.added', fields)
  }
  function endText(): string {
    const whole = emit('response.output_text.done', { ...atText, text: pieces.join(''), logprobs: [] })
    return whole + emit('response.content_part.done', { ...atText, part: textPart() })
  }
  function endRefusal(): string {
    const at = { ...place, content_index: hasText ? 1 : 0 }
    const part = { type: 'refusal', refusal: '' }
    return (
      emit('response.content_part.added', { ...at, part }) +
      emit('response.refusal.delta', { ...at, delta: refusal }) +
      emit('response.refusal.done', { ...at, refusal }) +
      emit('response.content_part.done', { ...at, part: refusalPart() })
    )
  }

  return {
    text() {
      cited.begin()
      if (hasText) return ''
      hasText = true
      return emit('response.content_part.added', { ...atText, part: textPart() })
    },
    delta(delta) {
      if (delta.type === 'citations_delta') cited.cite(delta.citation satisfies Citation)
      if (delta.type !== 'text_delta' || delta.text === '') return ''
      pieces.push(delta.text)
      cited.add(delta.text)
      return emit('response.output_text.delta', { ...atText, delta: delta.text, logprobs: [] })
    },
    blockEnds: () => cited.end().map(annotate).join(''),
    refuse(reason) {
      refusal = reason
      return ''
    },
    end: () => (hasText ? endText() : '') + (refusal === undefined ? '' : endRefusal()),
    view(done) {
      const content = [...(hasText ? [textPart()] : []), ...(refusal === undefined ? [] : [refusalPart()])]
      return { type: 'message', role: 'assistant', content: done ? content : [] }
    },
  }
}
