/**
 * Robots of WeCom's group chats. https://developer.work.weixin.qq.com/document/path/91770: JSON with `msgtype`; Markdown of 4,096
 * bytes at most, with links and mentions (<@user>). It answers `{"errcode": 0}` if it took it, else another code, such as 93000 for
 * an unknown address or 45009 for more than twenty in a minute.
 */
import { type Format, JSON_HEADERS, linesOf, plainMarkdown, problemByCode } from './format.ts'

const MOST_BYTES = 4_096

export const wecom: Format = {
  request({ url, language }, message) {
    const { link, title } = message
    const head = `### ${plainMarkdown(title[language])}`
    const foot = link ? [`[${link.label[language]}](${link.url})`] : []
    const lines = linesOf(message, language, (label, value) => `> ${label}: ${plainMarkdown(value)}`)
    // Its last lines go first, because the link is needed.
    while (bytesOf([head, ...lines, ...foot]) > MOST_BYTES && lines.length > 0) lines.pop()
    const content = [head, ...lines, ...foot].join('\n')
    return {
      url,
      headers: JSON_HEADERS,
      body: JSON.stringify({ msgtype: 'markdown', markdown: { content } }),
    }
  },
  problemOf: (answer) => problemByCode(answer, { name: 'errcode', message: 'errmsg', busy: [45_009] }),
}

function bytesOf(lines: readonly string[]): number {
  return new TextEncoder().encode(lines.join('\n')).length
}
