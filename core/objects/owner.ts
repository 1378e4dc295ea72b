/**
 * Who owns what exists in one upstream account only, and where it is. Any key of an account reads all that is in it, so
 * an id reaches an upstream only where its owner names it; everything else would make everybody the reader of everything.
 */
import { sql } from 'drizzle-orm'
import type { NamedObject } from '../calls/named.ts'
import { type MadeObject, upstreamObjects } from '../db/objects.ts'
import { Refusal } from '../errors.ts'
import type { Db, MaybePromise } from '../ports.ts'
import type { Settings } from '../settings.ts'
import { storable } from '../text.ts'

export interface Owner {
  userId: number
  /** Name of the backend whose account holds the object. */
  backend: string
}

export interface Binding {
  /** The call goes to this backend and to no other. */
  boundTo: string | undefined
  /** The call goes to this backend while it is usable. */
  steersTo: string | undefined
}

export interface Objects {
  /** Where a call has to go that names these. Throws a Refusal body_invalid for what is not the user's own. */
  bind(userId: number, named: readonly NamedObject[]): MaybePromise<Binding>
  /** Who owns an object, if it is this user; undefined for what is unknown or somebody else's. */
  find(userId: number, object: Pick<NamedObject, 'kind' | 'id'>): MaybePromise<Owner | undefined>
  /** It is gone. */
  forget(object: Pick<NamedObject, 'kind' | 'id'>): void
  /** An answer made these: known here at once, while their rows are on the way to the database. */
  remember(owner: Owner, made: readonly MadeObject[]): void
}

/** The most owners that are kept in memory, of all people together. Others are read from the database. */
const REMEMBERED = 50_000

/** A pure decision; `known` holds owners by keyOf. Throws a Refusal body_invalid that names the path. */
export function bindingOf(
  named: readonly NamedObject[],
  known: ReadonlyMap<string, Owner>,
  userId: number,
  unknown: Settings['objects']['unknown'],
): Binding {
  let boundTo: string | undefined
  let steersTo: string | undefined
  for (const object of named) {
    const owner = known.get(keyOf(object))
    const isOwn = owner?.userId === userId
    if (object.kind === 'message') {
      if (isOwn) steersTo = owner.backend
      continue
    }
    if (!isOwn) {
      if (!owner && unknown === 'pass') continue
      throw new Refusal(
        'body_invalid',
        `${object.path}: there is no ${object.kind} of yours with this id here.`,
        codeOf(object),
      )
    }
    if (boundTo !== undefined && boundTo !== owner.backend) {
      throw new Refusal(
        'body_invalid',
        `${object.path}: this ${object.kind} is in another account than what the request names before it.`,
        codeOf(object),
      )
    }
    boundTo = owner.backend
  }
  return { boundTo, steersTo }
}

/** By this code Anthropic's SDKs send the whole conversation instead of what follows a thread. */
function codeOf({ kind }: NamedObject): { errorCode?: string } {
  return kind === 'thread' ? { errorCode: 'thread_not_found' } : {}
}

export function createObjects({ db, settings }: { db: Db; settings: Pick<Settings, 'objects'> }): Objects {
  const cache = new Map<string, Owner>()

  function keep(key: string, owner: Owner) {
    // A Map keeps the order of insertion: set again, this one stands last, so the first was unused for longest.
    cache.delete(key)
    cache.set(key, owner)
    if (cache.size > REMEMBERED) for (const first of cache.keys()) return void cache.delete(first)
  }
  async function look(userId: number, named: readonly NamedObject[], known: Map<string, Owner>) {
    const missing = named.filter((object) => !known.has(keyOf(object)))
    for (const { kind, id, ...owner } of await ownersOf(db, missing)) {
      known.set(keyOf({ kind, id }), owner)
      keep(keyOf({ kind, id }), owner)
    }
    return bindingOf(named, known, userId, settings.objects.unknown)
  }

  return {
    bind(userId, named) {
      const known = new Map<string, Owner>()
      for (const object of named) {
        const key = keyOf(object)
        const owner = cache.get(key)
        if (!owner) continue
        known.set(key, owner)
        keep(key, owner)
      }
      if (known.size < named.length) return look(userId, named, known)
      return bindingOf(named, known, userId, settings.objects.unknown)
    },
    find(userId, object) {
      const own = (owner: Owner | undefined) => (owner?.userId === userId ? owner : undefined)
      const owner = cache.get(keyOf(object))
      return owner ? own(owner) : ownersOf(db, [object]).then(([found]) => own(found))
    },
    forget: (object) => void cache.delete(keyOf(object)),
    remember(owner, made) {
      for (const object of made) {
        const key = keyOf(object)
        // Whoever owned it first goes on owning it, as in the database.
        if ((cache.get(key)?.userId ?? owner.userId) === owner.userId) keep(key, owner)
      }
    },
  }
}

function ownersOf(db: Db, objects: readonly Pick<NamedObject, 'kind' | 'id'>[]) {
  const list = JSON.stringify(objects.map(({ kind, id }) => [kind, storable(id)]))
  const { kind, id, userId, backend } = upstreamObjects
  return db
    .select({ kind, id, userId, backend })
    .from(upstreamObjects)
    .where(sql`(${kind}, ${id}) in (select value->>0, value->>1 from json_each(${list}))`)
}

export function keyOf({ kind, id }: Pick<NamedObject, 'kind' | 'id'>): string {
  return `${kind} ${id}`
}
