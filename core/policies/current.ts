/** The checksums of the settings that many people run Claude Code with now, by few statements. */
import { grants, groupMembers, users } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import { accessOf } from '../models/access.ts'
import { modelsFor } from '../organisation/models.ts'
import { among } from '../reports/totals.ts'
import { mailTo } from '../users/address.ts'
import { withAvailableModels } from './available-models.ts'
import { withoutDesktop } from './desktop.ts'
import { listPolicies } from './manage.ts'
import { managedAnswer } from './managed-settings.ts'
import { policyOf } from './match.ts'

type Parts = Pick<Deps, 'db' | 'settings' | 'catalogue' | 'prices' | 'sha256'>

/** By user; who is not there has no policy. */
export async function currentChecksums(
  parts: Parts,
  userIds: readonly number[],
): Promise<Map<number, string>> {
  const { db, settings, catalogue, prices, sha256 } = parts
  if (userIds.length === 0) return new Map()
  const [people, members, granted, policies, listed] = await Promise.all([
    db.select().from(users).where(among(users.id, userIds)),
    db.select().from(groupMembers).where(among(groupMembers.userId, userIds)),
    db.select().from(grants).where(among(grants.userId, userIds)),
    listPolicies(db),
    catalogue.models(),
  ])
  const groupsOf = Map.groupBy(members, ({ userId }) => userId)
  const grantsOf = Map.groupBy(granted, ({ userId }) => userId)
  const rules = remembered((_groups: string, userId: number) => modelsFor(db, userId))
  const found = new Map<number, string>()
  for (const user of people) {
    const groupIds = (groupsOf.get(user.id) ?? []).map(({ groupId }) => groupId).toSorted((a, b) => a - b)
    const matched = policyOf(policies, { groupIds, email: mailTo(user, settings.auth) })
    if (!matched) continue
    // Whoever is in the same groups has the same rules; a service account has those of the group that owns it.
    const isService = user.kind === 'service'
    const theirs = await rules(isService ? `service ${user.id}` : groupIds.join(), user.id)
    const has = new Set((grantsOf.get(user.id) ?? []).map(({ model }) => model))
    const usable = listed.filter(({ id }) => {
      const canonical = prices.canonical(id)
      const access = accessOf(settings, theirs, id, canonical)
      return access === 'open' || (access === 'approval' && (has.has(canonical) || has.has(id)))
    })
    const names = usable.map(({ id }) => id)
    const given = withoutDesktop(withAvailableModels(matched.settings, names))
    found.set(user.id, managedAnswer(given, '', sha256).checksum)
  }
  return found
}

function remembered<T>(make: (name: string, id: number) => Promise<T>) {
  const known = new Map<string, Promise<T>>()
  return (name: string, id: number): Promise<T> => {
    const made = known.get(name) ?? make(name, id)
    known.set(name, made)
    return made
  }
}
