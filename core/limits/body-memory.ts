/** How many bytes of request bodies this process holds, in all and of one person. */
import { Refusal } from '../errors.ts'

/** One person may hold a quarter of the whole. */
const PERSONS = 4
/** When to come again: most calls end within seconds. */
const RETRY_MS = 2_000

interface HeldBody {
  /** `bytes` more have come. Throws a Refusal `overloaded` when there is no room for them. */
  add(bytes: number): void
  /** Gives all of it back. Repeatable. */
  free(): void
}

export interface BodyMemory {
  /** Begins a body that is `announced` bytes long (0 when unknown). Throws a Refusal `overloaded`. */
  hold(userId: number, announced: number): HeldBody
  /** Bytes that are held in all. */
  held(): number
}

/** `most` in bytes. A body that is held alone always has room, because `limits.max_body_bytes` bounds a single one. */
export function createBodyMemory(most: number): BodyMemory {
  let inAll = 0
  const byUser = new Map<number, number>()

  function take(userId: number, bytes: number, before: number) {
    const ofUser = byUser.get(userId) ?? 0
    const fits = (used: number, limit: number) => used === before || used + bytes <= limit
    if (!fits(inAll, most) || !fits(ofUser, most / PERSONS)) {
      const whose = fits(inAll, most) ? 'your requests' : 'all requests'
      throw new Refusal(
        'overloaded',
        `The bodies of ${whose} under way are too large together. Please try again.`,
        {
          retryAfterMs: RETRY_MS,
        },
      )
    }
    inAll += bytes
    byUser.set(userId, ofUser + bytes)
  }

  return {
    held: () => inAll,
    hold(userId, announced) {
      let held = 0
      let come = 0
      const grow = (to: number) => {
        if (to <= held) return
        take(userId, to - held, held)
        held = to
      }
      grow(announced)
      return {
        add(bytes) {
          come += bytes
          grow(come)
        },
        free() {
          inAll -= held
          const rest = (byUser.get(userId) ?? 0) - held
          if (rest > 0) byUser.set(userId, rest)
          else byUser.delete(userId)
          held = 0
        },
      }
    },
  }
}
