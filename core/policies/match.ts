/** Which policy a person runs Claude Code with. */
import { dnsName } from '../auth/domain.ts'
import { type ManagedSettings, mergeSettings } from './merge.ts'

export interface Policy {
  id: number
  name: string
  /** The lowest one that matches counts; then the lowest id. */
  priority: number
  /** Whoever is in any of these groups, or has an address of any of these domains; both empty = everybody. */
  groupIds: readonly number[]
  domains: readonly string[]
  settings: ManagedSettings
}

interface Person {
  groupIds: readonly number[]
  /** Lower case. */
  email: string
}

export interface Matched {
  /** The policy of this person, and that of everybody below it. */
  policies: readonly Policy[]
  settings: ManagedSettings
}

/** Undefined where no policy matches. */
export function policyOf(policies: readonly Policy[], person: Person): Matched | undefined {
  const ordered = policies.toSorted((one, other) => one.priority - other.priority || one.id - other.id)
  const base = ordered.find(isForAll)
  const own = ordered.find((policy) => !isForAll(policy) && isFor(policy, person))
  if (own && base) return { policies: [own, base], settings: mergeSettings(base.settings, own.settings) }
  const only = own ?? base
  return only && { policies: [only], settings: only.settings }
}

function isForAll({ groupIds, domains }: Policy): boolean {
  return groupIds.length === 0 && domains.length === 0
}

function isFor({ groupIds, domains }: Policy, person: Person): boolean {
  const domain = dnsName(person.email.split('@')[1] ?? '')
  return groupIds.some((id) => person.groupIds.includes(id)) || domains.map(dnsName).includes(domain)
}
