/** Headers of answers, to be compared between runtimes. */

/** What is said of the connection, or of the form in which the bytes travel, is the runtime's own. */
const TRANSPORT = /^(connection|keep-alive|date|transfer-encoding|content-length|content-encoding)$/
/** The headers of an answer that must be the same everywhere. */
export const headersOf = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([header]) => !TRANSPORT.test(header)))
/** What every answer of the gateway's own carries. */
export const GUARDS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
}
/** And every answer of an upstream that is handed on. */
export const RELAYED_GUARDS = {
  ...GUARDS,
  'content-security-policy': `${GUARDS['content-security-policy']}; sandbox`,
}
