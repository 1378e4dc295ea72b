/** Where a backend is. */

/** A backend's url split where the origin ends: relays may live below a path. */
export function originOf(url: string): { origin: string; base: string } {
  const slash = url.indexOf('/', url.indexOf('://') + 3)
  return slash < 0 ? { origin: url, base: '' } : { origin: url.slice(0, slash), base: url.slice(slash) }
}
