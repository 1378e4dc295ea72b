/** From the credentials of a request to its caller, as the tier of the matched route demands. */
import type { Deps } from '../core/deps.ts'
import type { HeaderPairs } from '../core/ports.ts'
import { headerOf } from '../core/proxy/headers.ts'
import type { Callers, Tier } from './route.ts'

/** How old the directory may be where no timer keeps it fresh: what another process changed holds within this time. */
const DIRECTORY_MAX_AGE_MS = 1_000

/** Throws a Refusal when there is no valid credential. */
export async function identify(deps: Deps, tier: Tier, headers: HeaderPairs): Promise<Callers[Tier]> {
  if (tier === 'public') return undefined
  const refreshing = deps.directory.fresh(DIRECTORY_MAX_AGE_MS)
  if (refreshing) {
    await refreshing.catch((cause) => deps.logger.error('directory.refresh_failed', { cause: String(cause) }))
  }
  return deps.directory.find(presentedKeys(headers))
}

/** Both headers may carry a key, and Claude Code can send two different ones: either being valid is enough. */
function presentedKeys(headers: HeaderPairs): string[] {
  const bearer = /^bearer[ \t]+(\S+)[ \t]*$/i.exec(headerOf(headers, 'authorization') ?? '')?.[1]
  const header = headerOf(headers, 'x-api-key')?.trim()
  return [bearer, header].filter((key): key is string => key !== undefined && key !== '')
}
