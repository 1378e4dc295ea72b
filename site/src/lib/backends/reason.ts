/** Why a backend or a model is out, in the reader's language. The gateway's own words are known here; others stay as they are. */
import { type Key, t } from '../i18n/index.svelte.ts'

const REASONS: readonly (readonly [words: RegExp, Key])[] = [
  [/^answered (?<status>\d+)$/, 'backends.reason.answered'],
  [/^answered (?<status>\d+) \((?<code>.+)\)$/, 'backends.reason.answered_code'],
  [/^refused the credential \((?<status>\d+)\)$/, 'backends.reason.refused_credential'],
  [/^answered with a redirect$/, 'backends.reason.redirect'],
  [/^answered with a web page$/, 'backends.reason.page'],
  [/^answered with nothing$/, 'backends.reason.empty'],
  [/^answered with something that is no model list$/, 'backends.reason.no_list'],
  [/^answered with too much$/, 'backends.reason.long'],
  [/^lists no models$/, 'backends.reason.empty_list'],
  [/^streamed (?<kind>.+)$/, 'backends.reason.streamed'],
  [/^network error$/, 'backends.reason.network'],
  [/^network error \((?<code>.+)\)$/, 'backends.reason.network_code'],
  [/^no (answer in 10 s|answer in time|first byte in time)$/, 'backends.reason.slow'],
  [/^no credentials$/, 'backends.reason.credentials'],
  [/^the account is not offered this model$/, 'backends.reason.no_model'],
  [/^refused this model$/, 'backends.reason.refused_model'],
  [/^(?<n>\d+) models failed$/, 'backends.reason.failed'],
  [/^switched off$/, 'backends.reason.switched_off'],
]

export function reasonText(reason: string): string {
  for (const [words, key] of REASONS) {
    const found = words.exec(reason)
    if (found) return t(key, { ...found.groups })
  }
  return reason
}
