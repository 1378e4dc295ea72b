/**
 * Keeps a conversation on one backend, where its prompt cache and its thinking live: by a hash that ranks the backends,
 * and, once a failover moved it, by the backend that it went to.
 */
import type { Move } from '../ports.ts'

/** Conversations that are kept for one person. Beyond that the person's own oldest ones are forgotten. */
const CONVERSATIONS_A_PERSON = 5_000
/** Moves that wait until the store is back. Beyond that the oldest ones are told to nobody. */
const MOST_UNSTORED = 20_000
/** FNV-1a's offset basis (https://en.wikipedia.org/wiki/Fowler%E2%80%93Noll%E2%80%93Vo_hash_function). */
const SEED = 0x811c9dc5
/** A second, independent basis: of two hashes of 32 bits, 53 bits are kept, which a number holds exactly. */
const OTHER_SEED = 0x01234567

interface Place {
  backend: string
  /** `backend` is another one than the conversation's hash leads to. */
  moved: boolean
  /** When the cache of an idle conversation is gone (ms since 1970). */
  idleUntil: number
  /** The `idleUntil` that was handed to the store last; 0 when none was. */
  storedUntil: number
}

export interface Affinity {
  /** The backend that the conversation went to last, while its cache may live. */
  placeOf(person: number, conversation: number, now: number): { backend: string; moved: boolean } | undefined
  /** The conversation was served by `backend`. `moved`: its hash leads to another one. */
  served(call: {
    person: number
    conversation: number
    backend: string
    moved: boolean
    idleUntil: number
    now: number
  }): void
  /** Moves that the store does not have yet. Each is answered once. */
  unstored(): Move[]
  /** The store did not take these: they are answered again, where the conversation did not move since. */
  notStored(moves: readonly Move[]): void
  /** Takes over moves that other processes wrote to the store. */
  learn(moves: readonly Move[]): void
  /** Forgets what is idle for too long. */
  sweep(now: number): void
}

export function createAffinity(): Affinity {
  const people = new Map<number, Map<number, Place>>()
  const changed = new Map<string, Move>()

  function put(person: number, conversation: number, place: Place) {
    const own = people.get(person) ?? new Map<number, Place>()
    people.set(person, own)
    // A Map keeps the order of insertion: set again, this one stands last, so the first was idle for longest.
    own.delete(conversation)
    own.set(conversation, place)
    if (own.size > CONVERSATIONS_A_PERSON) for (const first of own.keys()) return void own.delete(first)
  }

  return {
    placeOf(person, conversation, now) {
      const place = people.get(person)?.get(conversation)
      return place && place.idleUntil > now ? place : undefined
    },
    served({ person, conversation, backend, moved, idleUntil, now }) {
      const known = people.get(person)?.get(conversation)
      const same = known?.backend === backend && known.moved === moved
      const place = { backend, moved, idleUntil, storedUntil: same ? known.storedUntil : 0 }
      put(person, conversation, place)
      // To save writes, a move that goes on is stored again only once its stored end lies in the first half of its life.
      const isNews = moved ? place.storedUntil < (now + idleUntil) / 2 : known?.moved === true
      if (!isNews) return
      place.storedUntil = idleUntil
      const move = { person, conversation, backend, idleUntil: moved ? idleUntil : 0 }
      changed.set(keyOf(move), move)
    },
    unstored() {
      const moves = [...changed.values()]
      changed.clear()
      return moves
    },
    notStored(moves) {
      const since = [...changed]
      changed.clear()
      for (const move of moves.slice(-MOST_UNSTORED)) changed.set(keyOf(move), move)
      for (const [key, move] of since) changed.set(key, move)
    },
    learn(moves) {
      for (const { person, conversation, backend, idleUntil } of moves) {
        const known = people.get(person)?.get(conversation)
        if (known && known.idleUntil >= idleUntil && idleUntil !== 0) continue
        if (idleUntil === 0) {
          if (known?.moved) people.get(person)?.delete(conversation)
        } else put(person, conversation, { backend, moved: true, idleUntil, storedUntil: idleUntil })
      }
    },
    sweep(now) {
      for (const [person, own] of people) {
        for (const [conversation, { idleUntil }] of own) if (idleUntil <= now) own.delete(conversation)
        if (own.size === 0) people.delete(person)
      }
    },
  }
}

function keyOf({ person, conversation }: Move): string {
  return `${person} ${conversation}`
}

/** A conversation's id as a number of 53 bits, which is shorter to keep than its text. */
export function conversationHash(text: string): number {
  return (fnv(SEED, text) >>> 0) * 2 ** 21 + (fnv(OTHER_SEED, text) >>> 11)
}

/**
 * A number in (0, 1), always the same for this conversation and backend. FNV-1a alone is not even enough for shares, so
 * MurmurHash3's final mix follows (https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp).
 */
export function drawOf(conversation: number, backend: string): number {
  let hash = fnv(fnv(SEED, backend), String(conversation))
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (((hash ^ (hash >>> 16)) >>> 0) + 0.5) / 0x1_0000_0000
}

function fnv(seed: number, text: string): number {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
