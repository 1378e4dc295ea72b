/** How a caller reached the gateway. */
import type { Deps } from '../core/deps.ts'
import { headerOf } from '../core/http/headers.ts'

/** Scheme, host and port by which this caller reached the gateway. What they say of themselves is only told to them. */
export function originOf(
  { settings, wire }: Pick<Deps, 'settings' | 'wire'>,
  request: Request,
  bindings: unknown,
): string {
  if (settings.publicUrl !== '') return settings.publicUrl
  const { host, protocol } = new URL(request.url)
  const forwarded = headerOf(wire.headers(request, bindings), 'x-forwarded-proto')
  return `${forwarded === 'https' ? 'https:' : protocol}//${host}`
}
