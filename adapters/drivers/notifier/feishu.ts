/**
 * Custom bots of Feishu and Lark. https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot: JSON with `msg_type` and
 * `card`; with a signature, `timestamp` in seconds (valid for an hour) and `sign`, which is the Base64 of HMAC-SHA256 of nothing
 * under the key "timestamp\nsecret". It answers `{"code": 0}` if it took the card, else another code, such as 19021 for a wrong
 * signature or 11232 for more than a hundred in a minute.
 * https://open.feishu.cn/document/feishu-cards/card-json-structure: texts are `plain_text`, because `lark_md` has links and
 * mentions of all.
 */
import type { Message } from '../../../core/notices/message.ts'
import { base64, type Format, hmacSha256, JSON_HEADERS, linesOf, problemByCode } from './format.ts'

const TEMPLATES = { info: 'blue', good: 'green', warning: 'orange', bad: 'red' } as const satisfies Record<
  Message['tone'],
  string
>

const plain = (content: string) => ({ tag: 'plain_text', content })

export const feishu: Format = {
  async request({ url, secret, language }, message, now) {
    const { link, title, tone } = message
    const fields = linesOf(message, language, (label, value) => ({
      is_short: false,
      text: plain(`${label}${language === 'zh' ? '：' : ': '}${value}`),
    }))
    const card = {
      config: { wide_screen_mode: true },
      header: { title: plain(title[language]), template: TEMPLATES[tone] },
      elements: [
        ...(fields.length > 0 ? [{ tag: 'div', fields }] : []),
        ...(link
          ? [
              {
                tag: 'action',
                actions: [
                  { tag: 'button', text: plain(link.label[language]), type: 'primary', url: link.url },
                ],
              },
            ]
          : []),
      ],
    }
    const signature = secret === undefined ? {} : await signatureOf(secret, now)
    return {
      url,
      headers: JSON_HEADERS,
      body: JSON.stringify({ ...signature, msg_type: 'interactive', card }),
    }
  },
  problemOf: (answer) => problemByCode(answer, { name: 'code', message: 'msg', busy: [11_232] }),
}

async function signatureOf(secret: string, now: number) {
  const timestamp = String(Math.floor(now / 1000))
  return { timestamp, sign: base64(await hmacSha256(`${timestamp}\n${secret}`, '')) }
}
