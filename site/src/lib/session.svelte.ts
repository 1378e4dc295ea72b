/** Who is signed in. */
import { goto } from '$app/navigation'
import { whenRefused } from './api/client.ts'
import type { User } from './api/index.ts'
import { api } from './api/index.ts'
import { isTyped } from './typed.ts'
import { forgetRecent } from './ui/recent.ts'

/** Kept by the browser for all tabs: the id of who is signed in. */
const HINT = 'signed-in'
const RANK = ['user', 'billing', 'auditor', 'admin'] as const satisfies readonly User['role'][]
export type AdminRole = Exclude<(typeof RANK)[number], 'user'>
let user = $state.raw<User>()
let expired = $state(false)
let isOver = $state(false)
let isHinted = $state(localStorage.getItem(HINT) !== null)

export const session = {
  get user() {
    return user
  },
  set user(value: User | undefined) {
    user = value
    if (!value) return
    expired = false
    isOver = false
    isHinted = true
    // Somebody else had the browser, and their session ended without its being told here.
    if (localStorage.getItem(HINT) !== String(value.id)) forgetRecent()
    localStorage.setItem(HINT, String(value.id))
  },
  /** This browser may hold a session: only then is it worth asking. */
  get isLikely() {
    return isHinted
  },
  /** Whether they may change what administrators do: each control of their pages asks this, because others only read. */
  get isAdmin() {
    return user?.role === 'admin'
  },
  /** Whether they may see what this role may; each may what those before it may. */
  may(role: AdminRole) {
    return user !== undefined && RANK.indexOf(user.role) >= RANK.indexOf(role)
  },
  /** A session ended while something was typed: the page stays, and asks to sign in beside it. */
  get isOver() {
    return isOver
  },
  /** A session ended by itself: the sign-in page says so. */
  get expired() {
    return expired
  },
}

/** For everybody: who cannot sign in may want to know how. */
export function isPublic(path: string): boolean {
  return path === '/docs' || path.startsWith('/docs/')
}

/** Only a page of this site: anything else could lead a person away after signing in. */
export function safePath(path: string | null): string {
  return path && /^\/(?:[\w-]+(?:\/[\w-]+)*)?(?:\?[^\\\s]*)?$/.test(path) ? path : '/'
}

let isLeaving = false
/** In this order: a page that loses its user would ask who that is. */
async function leaveFor(path: string): Promise<void> {
  isLeaving = true
  await goto(path).finally(() => (isLeaving = false))
  user = undefined
}

/** However a session ends. */
function forgetWho() {
  isHinted = false
  localStorage.removeItem(HINT)
  forgetRecent()
}

function askToSignIn() {
  forgetWho()
  // Several requests may find it out, one after the other.
  if (isLeaving || location.pathname === '/login') return
  if (isPublic(location.pathname)) {
    user = undefined
    return
  }
  expired ||= user !== undefined
  toSignIn()
}

/** The sign-in page that leads back here. */
export function signInPath(): string {
  return `/login?next=${encodeURIComponent(location.pathname + location.search)}`
}

function toSignIn() {
  if (user && isTyped()) isOver = true
  else void leaveFor(signInPath())
}

/** Without what was typed. */
export function leaveTyped(): Promise<void> {
  return leaveFor(signInPath()).finally(() => (isOver = false))
}

/** Goes on with what was typed, once they have signed in beside it. Another person finds the page as theirs. */
export async function goOn(): Promise<void> {
  const { user: found } = await api.me()
  if (found.id === user?.id) session.user = found
  else location.reload()
}

let asking: Promise<void> | undefined
/** Finds out who is signed in, and with which role: one question at a time. */
export function findUser(): Promise<void> {
  asking ??= api
    .me()
    .then((found) => {
      session.user = found.user
    })
    .finally(() => {
      asking = undefined
    })
  return asking
}

// Somebody else signed in in another tab: what is pressed here would be done as them, under the name of who was here before.
addEventListener('storage', ({ key, newValue }) => {
  if (key === HINT && newValue !== null && user && newValue !== String(user.id)) location.reload()
})

whenRefused((code) => {
  if (code === 'not_signed_in') askToSignIn()
  // No longer with the role that a page takes.
  if (code === 'admins_only') void findUser().catch(() => {})
})

/** For what takes a sign-in of the last minutes. */
export async function signInAgain(): Promise<void> {
  await api.logout()
  forgetWho()
  toSignIn()
}

export async function signOut(everywhere = false): Promise<void> {
  await (everywhere ? api.logoutEverywhere() : api.logout())
  forgetWho()
  await leaveFor('/login')
}
