/**
 * Any program of the company: JSON with a signature. The receiver computes HMAC-SHA256 of `timestamp.body` with the secret that it
 * shares with the channel, compares, and refuses timestamps that are older than some minutes.
 */
import { timeText } from '../../../core/units.ts'
import { type Format, hmacSha256, JSON_HEADERS, type PostRequest, problemByStatus } from './format.ts'

export const webhook: Format = {
  request({ url, secret, language }, message, now) {
    const { id, event, at, title, link, data } = message
    const body = { id, event, at: timeText(at), title: title[language], link: link?.url ?? null, data }
    return signed({ url, secret, body }, now)
  },
  problemOf: (answer) => (answer.status >= 200 && answer.status < 300 ? undefined : problemByStatus(answer)),
}

/** `now`: ms since 1970. */
export async function signed(
  { url, secret = '', body }: { url: string; secret: string | undefined; body: object },
  now: number,
): Promise<PostRequest> {
  const text = JSON.stringify(body)
  const timestamp = String(Math.floor(now / 1000))
  const hex = [...(await hmacSha256(secret, `${timestamp}.${text}`))].map((byte) =>
    byte.toString(16).padStart(2, '0'),
  )
  const signature = { 'x-claude-gateway-timestamp': timestamp, 'x-claude-gateway-signature': hex.join('') }
  return { url, headers: { ...JSON_HEADERS, ...signature }, body: text }
}
