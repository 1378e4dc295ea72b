/** Who is signed in. */
import { goto } from '$app/navigation'
import { whenSignedOut } from './api/client.ts'
import type { User } from './api/index.ts'
import { api } from './api/index.ts'

const HINT = 'signed-in'
let user = $state.raw<User>()
let expired = $state(false)

export const session = {
  get user() {
    return user
  },
  set user(value: User | undefined) {
    user = value
    if (!value) return
    expired = false
    localStorage.setItem(HINT, 'yes')
  },
  /** This browser may hold a session: only then is it worth asking. */
  get isLikely() {
    return localStorage.getItem(HINT) !== null
  },
  get isAdmin() {
    return user?.role === 'admin'
  },
  /** A session ended by itself: the sign-in page says so. */
  get expired() {
    return expired
  },
}

/** Only a page of this site: anything else could lead a person away after signing in. */
export function safePath(path: string | null): string {
  return path && /^\/(?:[\w-]+(?:\/[\w-]+)*)?(?:\?[^\\\s]*)?$/.test(path) ? path : '/'
}

export function askToSignIn() {
  localStorage.removeItem(HINT)
  const here = location.pathname + location.search
  if (location.pathname === '/login') return
  // Several requests may find it out, one after the other.
  expired ||= user !== undefined
  user = undefined
  void goto(`/login?next=${encodeURIComponent(here)}`)
}
whenSignedOut(askToSignIn)

export async function signOut(everywhere = false): Promise<void> {
  await (everywhere ? api.logoutEverywhere() : api.logout())
  localStorage.removeItem(HINT)
  user = undefined
  await goto('/login')
}
