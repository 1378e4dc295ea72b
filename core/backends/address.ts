/** Where a backend is, and what may be said when it cannot be reached. */

/** A backend's url split where the origin ends: relays may live below a path. */
export function originOf(url: string): { origin: string; base: string } {
  const slash = url.indexOf('/', url.indexOf('://') + 3)
  return slash < 0 ? { origin: url, base: '' } : { origin: url.slice(0, slash), base: url.slice(slash) }
}

/** What went wrong on the wire, without addresses or secrets. */
export function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return 'network error'
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name
  return `network error (${code})`
}
