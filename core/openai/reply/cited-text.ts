/** Where citations stand in an answer: they cite the block of text in which they come, whose end only its end tells. */
import type { Citation } from './events.ts'

export interface UrlCitation {
  /** In UTF-16 units of the text of the whole message. */
  start_index: number
  end_index: number
  url: string
  title: string
}

export function createCitedText() {
  let from = 0
  let length = 0
  let cited: Citation[] = []
  return {
    /** A block of text begins. */
    begin() {
      from = length
    },
    add(text: string) {
      length += text.length
    },
    cite: (citation: Citation) => void cited.push(citation),
    /** The block ended: its citations of web pages. */
    end(): UrlCitation[] {
      const ended = cited
      cited = []
      return ended.flatMap(({ url, title }) =>
        url ? [{ start_index: from, end_index: length, url, title: title ?? '' }] : [],
      )
    },
  }
}
