/** Domains of mail addresses. */

/** The one spelling of a domain: lower case, its ASCII (xn--) form, without an @ before it. */
export function dnsName(text: string): string {
  const domain = text.replace(/^@/, '').toLowerCase()
  if (/^[a-z0-9.-]*$/.test(domain) && !domain.includes('xn--')) return domain
  // Of anything else an address would begin with another domain.
  const isDomain = /^[\p{L}\p{M}\p{N}.-]*$/u.test(domain)
  const url = `http://${domain}/`
  return isDomain && URL.canParse(url) ? new URL(url).hostname : domain
}
