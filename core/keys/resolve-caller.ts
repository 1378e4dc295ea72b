/**
 * What a key's calls count against and may use. It is resolved at the first call after a change, or after a limit that ended by
 * time, and kept until the next: a change of a group costs nothing for the thousands in it.
 */
import { mailAddress } from '../auth/account.ts'
import { ORGANISATION } from '../limits/owner.ts'
import { bookedTo, nextEnd, poolLimits, userLimits } from '../limits/resolve.ts'
import type { ModelRules } from '../models/access.ts'
import type { ReadOrganisation } from '../organisation/read.ts'
import type { ReadGroup, ReadUser } from '../organisation/rows.ts'
import { availableIn } from '../policies/available-models.ts'
import { policyOf } from '../policies/match.ts'
import type { Counter } from '../ports.ts'
import type { Settings } from '../settings.ts'
import type { Caller } from './caller.ts'
import type { ReadKey } from './read-keys.ts'

/** Something that holds for one version of groups and limits, and until a limit ends (ms since 1970). */
interface Resolved<T> {
  version: number
  until: number
  value: T
}

export interface Owner {
  user: ReadUser
  grants: ReadonlySet<string>
  /** Shared by all keys of the owner. */
  resolved: Resolved<{ counter: Counter; models: ModelRules }> | undefined
}

export interface OwnedKey extends Pick<ReadKey, 'id' | 'prefix' | 'kind' | 'billingGroupId' | 'models'> {
  limits: Counter['limits']
  networks: Caller['networks']
  owner: Owner
  /** Of the secret before the present one: it counts and may what the key does. Left out of others, which are many. */
  isReplaced?: true
  resolved: Resolved<Caller> | undefined
}

export function createResolver(
  { rules, auth }: { rules: Settings['limits']; auth: Settings['auth'] },
  organisation: ReadOrganisation,
) {
  /** Raised by each change of groups and of what holds for everybody. */
  let version = 0
  const holds = (resolved: Resolved<unknown>, now: number) =>
    resolved.version === version && now < resolved.until
  const pools = createPools(organisation)

  function ownerAt(owner: Owner, now: number) {
    if (owner.resolved && holds(owner.resolved, now)) return owner.resolved
    owner.resolved = { version, ...ownOf(owner.user, { rules, organisation }, now) }
    return owner.resolved
  }

  function callerOf(
    key: OwnedKey,
    keysGroupId: number | null,
    now: number,
  ): { value: Caller; until: number } {
    const { owner, networks } = key
    const { user, grants } = owner
    const own = ownerAt(owner, now)
    const billingGroupIds = bookedTo(organisation, user, keysGroupId)
    const shared = [...billingGroupIds.map((id) => pools.of(id, now)), pools.of(undefined, now)]
    const value: Caller = {
      userId: user.id,
      itcode: user.itcode,
      keyId: key.id,
      keyPrefix: key.prefix,
      billingGroupIds,
      hasOldSecret: key.isReplaced === true,
      counters: [own.value.counter, counterOf(key), ...shared.map(({ counter }) => counter)],
      grants,
      networks,
      models: modelsFor(key, own.value.models, { organisation, auth }),
      billedTo(name, at) {
        const id = billingGroupOf(organisation, user, name)
        return id === undefined ? undefined : callerOf(key, id, at).value
      },
    }
    return { value, until: Math.min(own.until, ...shared.map((pool) => pool.until)) }
  }

  return {
    /** Called once groups, or what holds for everybody, have changed. */
    changed() {
      version += 1
      pools.forget()
    },
    callerAt(key: OwnedKey, now: number): Caller {
      if (key.resolved && holds(key.resolved, now)) return key.resolved.value
      const { value, until } = callerOf(key, key.billingGroupId, now)
      key.resolved = { version, until, value }
      return value
    },
  }
}

/** What somebody's own limits and models are, and until when (ms since 1970). */
function ownOf(
  user: ReadUser,
  { rules, organisation }: { rules: Settings['limits']; organisation: ReadOrganisation },
  now: number,
) {
  const groups = groupsOf(organisation, user)
  const counter: Counter = { scope: 'user', id: user.id, limits: userLimits(rules, organisation, user, now) }
  const rows = [user.own, organisation.each, ...groups.map(({ each }) => each)]
  const until = Math.min(...rows.map((some) => nextEnd(some, now)))
  return { until, value: { counter, models: modelsOf(groups) } }
}

/** Made for those who call, because most keys are quiet. */
function counterOf({ id, limits }: OwnedKey): Counter {
  return { scope: 'key', id, limits }
}

/** The billing group of this name that a person is in. */
function billingGroupOf(
  { groups }: ReadOrganisation,
  { groupIds }: ReadUser,
  name: string,
): number | undefined {
  return groupIds.find((id) => {
    const group = groups.get(id)
    return group?.bills && group.name === name
  })
}

/** A device obeys the list of its person's policy as well. */
function modelsFor(
  { kind, models, owner: { user } }: OwnedKey,
  own: ModelRules,
  { organisation, auth }: { organisation: ReadOrganisation; auth: Settings['auth'] },
): ModelRules {
  const rules = models ? { ...own, only: models } : own
  if (kind !== 'device') return rules
  const person = { groupIds: user.groupIds, email: user.email ?? mailAddress(user.itcode, auth) }
  const policy = policyOf(organisation.policies, person)
  const available = policy && availableIn(policy.settings)
  return available ? { ...rules, available } : rules
}

/** The counters of groups and of the organisation, which all callers share. */
function createPools(organisation: ReadOrganisation) {
  let known = new Map<number | undefined, { until: number; counter: Counter }>()
  return {
    forget() {
      known = new Map()
    },
    /** Of a group, or of the organisation where no id is given. */
    of(id: number | undefined, now: number) {
      const before = known.get(id)
      if (before && now < before.until) return before
      const group = id === undefined ? undefined : organisation.groups.get(id)
      const rows = id === undefined ? organisation.pool : (group?.pool ?? [])
      const limits = poolLimits(rows, now)
      const counter: Counter =
        id === undefined
          ? { ...ORGANISATION, limits }
          : { scope: 'group', id, limits, ...(group ? { name: group.name } : {}) }
      const pool = { until: nextEnd(rows, now), counter }
      known.set(id, pool)
      return pool
    },
  }
}

/** A service account is in no group, but what its owner opens and closes holds for it. */
function groupsOf({ groups }: ReadOrganisation, { groupIds, kind, billingGroupId }: ReadUser): ReadGroup[] {
  const ids = kind === 'service' && billingGroupId !== null ? [...groupIds, billingGroupId] : groupIds
  return ids.flatMap((id) => groups.get(id) ?? [])
}

const NO_LIST: readonly string[] = []
const NO_RULES: ModelRules = { allow: NO_LIST, deny: NO_LIST, only: undefined }

function modelsOf(groups: readonly ReadGroup[]): ModelRules {
  const allow = groups.flatMap((group) => group.allow)
  const deny = groups.flatMap((group) => group.deny)
  return allow.length + deny.length === 0 ? NO_RULES : { allow, deny, only: undefined }
}
