/** A notice as a mail, in Chinese and English, because the reader's language is not known. */
import type { Mail } from '../ports.ts'
import { inLanguage, type Language, type Message } from './message.ts'

export function noticeMail(message: Message, to: string): Mail {
  const { title, link } = message
  const linesOf = (language: Language) =>
    message.facts.map(({ label, value }) => `${label[language]}: ${inLanguage(value, language)}`)
  const paragraphs = (['zh', 'en'] as const).map((language) => [title[language], ...linesOf(language)])
  const text = [...paragraphs.map((lines) => lines.join('\n')), ...(link ? [link.url] : [])].join('\n\n')
  const html = paragraphs
    .map(([head = '', ...lines]) => `<h3>${escaped(head)}</h3><p>${lines.map(escaped).join('<br>')}</p>`)
    .join('')
  const button = link
    ? `<p><a href="${escaped(link.url)}">${escaped(`${link.label.zh} · ${link.label.en}`)}</a></p>`
    : ''
  return {
    to,
    subject: `Claude Gateway: ${title.zh} · ${title.en}`,
    text,
    html: `<!doctype html><html><body>${html}${button}</body></html>`,
  }
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
}
