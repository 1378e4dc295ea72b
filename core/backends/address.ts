/** Where a backend is. */

/** A backend's url as its origin and the path after it ('' for none), because a relay may be served below a path. */
export function originOf(url: string): { origin: string; base: string } {
  const slash = url.indexOf('/', url.indexOf('://') + 3)
  return slash < 0 ? { origin: url, base: '' } : { origin: url.slice(0, slash), base: url.slice(slash) }
}
