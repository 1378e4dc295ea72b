/**
 * The key that calls of a page are made with. The session makes it, for a quarter of an hour, and it is deleted when the page is
 * left; because a cookie must not call models (a page elsewhere could then spend somebody's money), and a key that stays in a
 * browser could be taken from it. It is kept in memory alone.
 */
import type { MadeKey } from '../api/index.ts'
import { ownKeys } from '../api/kept-keys.ts'

const GOOD_FOR_MS = 15 * 60_000
/** The longest that a call may still begin with it. */
const SPARE_MS = 60_000

export interface PageKey {
  /** Makes one where there is none that lasts. Throws an ApiError. */
  get(name: string): Promise<string>
  /** Deletes it, also while the page is being closed, and one that is only being made. The next call has another. */
  end(): void
}

function createPageKey(): PageKey {
  let made: MadeKey | undefined
  let ends = 0
  const end = () => {
    ends += 1
    // `keepalive`, because the page may be closing. Where it fails, the key ends by itself.
    if (made) void fetch(`/api/keys/${made.id}`, { method: 'DELETE', keepalive: true }).catch(() => {})
    made = undefined
  }
  return {
    async get(name) {
      if (made?.expires_at && Date.parse(made.expires_at) - Date.now() > SPARE_MS) return made.key
      end()
      const expiresAt = new Date(Date.now() + GOOD_FOR_MS).toISOString()
      const before = ends
      const { key } = await ownKeys.create(name, expiresAt)
      made = key
      // The page was left meanwhile.
      if (ends !== before) end()
      return key.key
    },
    end,
  }
}

/** For a component: ends with it, or with the page. */
export function usePageKey(): PageKey {
  const key = createPageKey()
  $effect(() => {
    addEventListener('pagehide', key.end)
    return () => {
      removeEventListener('pagehide', key.end)
      key.end()
    }
  })
  return key
}
