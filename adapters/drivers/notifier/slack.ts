/**
 * Slack's incoming webhooks. https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks: JSON with `blocks`, and
 * `text` for notifications; 200 and `ok` if it was taken, else a status and a word such as no_service.
 * https://docs.slack.dev/reference/block-kit/blocks: a header has 150 characters at most, a section ten fields of 2,000 each.
 * https://docs.slack.dev/messaging/formatting-message-text#escaping: & < > are written as entities; `verbatim` keeps Slack from
 * making links and mentions of what people wrote.
 */
import { type Format, JSON_HEADERS, linesOf, problemByStatus } from './format.ts'

const LONGEST_HEADER = 150
const MOST_FIELDS = 10
const LONGEST_FIELD = 2_000

export const slack: Format = {
  request({ url, language }, message) {
    const title = escaped(message.title[language])
    const fields = linesOf(message, language, (label, value) => ({ label, value }))
      .slice(0, MOST_FIELDS)
      .map(({ label, value }) => ({
        type: 'mrkdwn',
        text: fitting(`*${escaped(label)}*\n${escaped(value) || '–'}`),
        verbatim: true,
      }))
    const { link } = message
    const button = link && {
      type: 'button',
      text: { type: 'plain_text', text: link.label[language], emoji: false },
      url: link.url,
    }
    const blocks = [
      {
        type: 'header',
        text: {
          type: 'plain_text',
          text: message.title[language].slice(0, LONGEST_HEADER).toWellFormed(),
          emoji: false,
        },
      },
      ...(fields.length > 0 ? [{ type: 'section', fields }] : []),
      ...(button ? [{ type: 'actions', elements: [button] }] : []),
    ]
    return { url, headers: JSON_HEADERS, body: JSON.stringify({ text: title, blocks }) }
  },
  problemOf(answer) {
    const { status, text } = answer
    if (status === 200) return undefined
    // Its words are names of errors; anything else is of somebody else.
    return problemByStatus(answer, /^[a-z_]{1,60}$/.test(text) ? `it answered ${status}: ${text}` : undefined)
  },
}

/** Text that was escaped, with its last entity whole or not there. */
function fitting(text: string): string {
  if (text.length <= LONGEST_FIELD) return text
  return `${text
    .slice(0, LONGEST_FIELD - 1)
    .replace(/&[a-z]*$/, '')
    .toWellFormed()}…`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
