/**
 * Custom robots of DingTalk. https://open.dingtalk.com/document/robots/custom-robot-access: JSON with `msgtype`; with a signature,
 * `timestamp` in ms (valid for an hour) and `sign` are added to the address, the Base64 of HMAC-SHA256 of "timestamp\nsecret". It
 * answers `{"errcode": 0}` if it took it, else another code, such as 310000 for a wrong signature, and
 * 130101 or 410100 for more than twenty in a minute.
 * The text of an actionCard is Markdown.
 */
import {
  base64,
  type Format,
  hmacSha256,
  JSON_HEADERS,
  linesOf,
  plainMarkdown,
  problemByCode,
} from './format.ts'

export const dingtalk: Format = {
  async request({ url, secret, language }, message, now) {
    const title = plainMarkdown(message.title[language])
    const lines = linesOf(message, language, (label, value) => `**${label}**: ${plainMarkdown(value)}`)
    // An empty line between two, because a single line end is none in Markdown.
    const text = [`### ${title}`, ...lines].join('\n\n')
    const { link } = message
    const content = link
      ? {
          msgtype: 'actionCard',
          actionCard: {
            title,
            text,
            btnOrientation: '0',
            singleTitle: link.label[language],
            singleURL: link.url,
          },
        }
      : { msgtype: 'markdown', markdown: { title, text } }
    return {
      url: secret === undefined ? url : await signedUrl(url, secret, now),
      headers: JSON_HEADERS,
      body: JSON.stringify(content),
    }
  },
  problemOf: (answer) =>
    problemByCode(answer, { name: 'errcode', message: 'errmsg', busy: [130_101, 410_100] }),
}

async function signedUrl(address: string, secret: string, now: number): Promise<string> {
  const url = new URL(address)
  url.searchParams.set('timestamp', String(now))
  url.searchParams.set('sign', base64(await hmacSha256(secret, `${now}\n${secret}`)))
  return url.href
}
