/** Finds sections of guides, and routes of the reference, that have all words of a question. */
import { type Block, textOf } from './markdown.ts'

export interface Section {
  href: string
  /** Of the guide or group that it is in. */
  within: string
  title: string
  text: string
}

/** A guide's sections, each from its heading to the next. */
export function sectionsOf(blocks: readonly Block[], href: string, within: string): Section[] {
  const sections: Section[] = []
  for (const block of blocks) {
    if (block.kind === 'heading') {
      const anchor = block.level === 1 ? '' : `#${block.id}`
      sections.push({ href: href + anchor, within, title: block.text, text: '' })
    } else {
      const last = sections.at(-1)
      if (last) last.text += `\n${textOf(block)}`
    }
  }
  return sections
}

/** The best first: those with the words in their titles. */
export function found(sections: readonly Section[], question: string, most: number): Section[] {
  const words = question.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return []
  const inTitle = ({ title }: Section) => words.filter((word) => title.toLowerCase().includes(word)).length
  return sections
    .filter(({ title, text }) => {
      const all = `${title}\n${text}`.toLowerCase()
      return words.every((word) => all.includes(word))
    })
    .map((section) => ({ section, hits: inTitle(section) }))
    .sort((a, b) => b.hits - a.hits)
    .slice(0, most)
    .map(({ section }) => section)
}
