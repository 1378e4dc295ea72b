/** People, keys, groups and limits in memory, as the database had them when it was read last. */
import { type Network, networksOf } from '../http/networks.ts'
import { withQuota } from '../limits/resolve.ts'
import type { ReadForAll, ReadOrganisation } from '../organisation/read.ts'
import type { ReadUser } from '../organisation/rows.ts'
import type { Counter, Limits } from '../ports.ts'
import type { Settings } from '../settings.ts'
import type { Caller } from './caller.ts'
import type { ReadKey } from './read-keys.ts'
import { createResolver, type OwnedKey, type Owner } from './resolve-caller.ts'

export interface Found {
  userActive: boolean
  userPaused: boolean
  keyActive: boolean
  /** When the key ends, or the secret that was replaced: ms since 1970; null for never. */
  expiresAt: number | null
  /** The key has a newer secret. */
  isReplaced: boolean
  /** `now` in ms since 1970. */
  callerAt(now: number): Caller
}

export interface Snapshot {
  find(hash: string): Found | undefined
  /** Users come before their keys. */
  addUsers(users: readonly ReadUser[]): void
  addKeys(keys: readonly ReadKey[]): void
  /** Forgets users and their keys. */
  forget(userIds: readonly number[]): void
  /** Replaces these groups; those of them that are not in `read` are deleted. */
  setGroups(ids: readonly number[], read: ReadOrganisation['groups']): void
  setOrganisation(forAll: ReadForAll): void
}

interface KnownOwner extends Owner {
  /** The last of their keys that was read. */
  keys: KnownKey | undefined
}
interface KnownKey extends OwnedKey {
  hash: string
  isActive: boolean
  expiresAt: number | null
  owner: KnownOwner
  /** Another key of the owner. Not in an array, which has room for 17 once it has one. */
  next: KnownKey | undefined
}

const NO_GRANTS: ReadonlySet<string> = new Set()

export function createSnapshot(
  { limits: rules, auth }: Pick<Settings, 'limits' | 'auth'>,
  organisation: ReadOrganisation,
): Snapshot {
  const owners = new Map<number, KnownOwner>()
  const byHash = new Map<string, KnownKey>()
  const resolver = createResolver({ rules, auth }, organisation)
  function add(key: KnownKey) {
    key.next = key.owner.keys
    key.owner.keys = key
    byHash.set(key.hash, key)
  }
  return {
    find(hash) {
      const key = byHash.get(hash)
      if (!key) return undefined
      const { isActive, expiresAt, owner } = key
      const callerAt = (now: number) => resolver.callerAt(key, now)
      const { isActive: userActive, isPaused: userPaused } = owner.user
      const isReplaced = key.isReplaced === true
      return { userActive, userPaused, keyActive: isActive, expiresAt, isReplaced, callerAt }
    },
    addUsers(users) {
      for (const user of users) {
        const grants = user.grants.length === 0 ? NO_GRANTS : new Set(user.grants)
        owners.set(user.id, { user, grants, keys: undefined, resolved: undefined })
      }
    },
    addKeys(keys) {
      for (const key of keys) {
        const owner = owners.get(key.userId)
        if (!owner) continue
        const known = knownKey(key, owner, rules)
        add(known)
        if (key.previous) add(replacedBy(known, key.previous))
      }
    },
    forget(userIds) {
      for (const userId of userIds) {
        for (let key = owners.get(userId)?.keys; key; key = key.next) {
          // A key may have moved to another owner since.
          if (byHash.get(key.hash) === key) byHash.delete(key.hash)
        }
        owners.delete(userId)
      }
    },
    setGroups(ids, read) {
      for (const id of ids) organisation.groups.delete(id)
      for (const [id, group] of read) organisation.groups.set(id, group)
      resolver.changed()
    },
    setOrganisation(forAll) {
      Object.assign(organisation, forAll)
      resolver.changed()
    },
  }
}

function knownKey(key: ReadKey, owner: KnownOwner, rules: Settings['limits']): KnownKey {
  const { id, hash, prefix, kind, isActive, expiresAt, billingGroupId, models, networks } = key
  return {
    id,
    hash,
    prefix,
    kind,
    isActive,
    expiresAt,
    billingGroupId,
    models,
    owner,
    next: undefined,
    limits: keyLimits(key, rules),
    networks: parsed(networks),
    resolved: undefined,
  }
}

/** The same key by its secret before, which ends earlier. */
function replacedBy(key: KnownKey, { hash, prefix, endsAt }: NonNullable<ReadKey['previous']>): KnownKey {
  return { ...key, hash, prefix, expiresAt: Math.min(endsAt, key.expiresAt ?? endsAt), isReplaced: true }
}

function parsed(networks: readonly string[] | null): readonly Network[] | undefined {
  return networks ? networksOf(networks) : undefined
}

const UNLIMITED: Limits = { amounts: [], requestsPerMinute: 0, tokensPerMinute: 0, concurrentRequests: 0 }

function keyLimits(key: ReadKey, rules: Settings['limits']): Counter['limits'] {
  const { quotaTokens, budgetMicros, requestsPerMinute, tokensPerMinute, concurrentRequests } = key
  const sum = quotaTokens + budgetMicros + requestsPerMinute + tokensPerMinute + concurrentRequests
  if (sum === 0) return UNLIMITED
  const budget = budgetMicros > 0 ? [{ period: rules.period, micros: budgetMicros }] : []
  const amounts = withQuota(budget, quotaTokens, rules)
  return { amounts, requestsPerMinute, tokensPerMinute, concurrentRequests }
}
