/** What keeps a session where it is: its draw at each backend, and where it went last. */

const REMEMBERED_SESSIONS = 50_000
/** FNV-1a's offset basis. */
const SEED = 0x811c9dc5

/** Which backend each session went to last, for the sessions of late: a hash of each, so that a long name costs no more. */
export function createSessionMemory() {
  const backends = new Map<number, string>()
  return {
    last: (session: string) => backends.get(fnv(SEED, session)),
    remember(session: string, backend: string) {
      const hash = fnv(SEED, session)
      // Put anew, it stands last: the first is the one that was not used for the longest time.
      backends.delete(hash)
      backends.set(hash, backend)
      if (backends.size > REMEMBERED_SESSIONS)
        for (const first of backends.keys()) return void backends.delete(first)
    },
  }
}

/** FNV-1a over both texts with a final mix (MurmurHash3's), as a number in (0, 1). Even enough for shares, cheap per call. */
export function unit(session: string, backend: string): number {
  let hash = fnv(fnv(SEED, session), backend)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (((hash ^ (hash >>> 16)) >>> 0) + 0.5) / 0x1_0000_0000
}

function fnv(seed: number, text: string): number {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
