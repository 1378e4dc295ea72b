/** Reads what a provider says about a person. Pure. */
import type { User } from '../auth/account.ts'
import { dnsName } from '../auth/domain.ts'
import { isRecord } from '../json/is-record.ts'
import type { ClaimRules, Claims } from './provider.ts'

type Role = User['role']

/** More are cut off, because each is looked for. Entra sends at most 200. */
const MOST_GROUPS = 2_000
const GOOGLE = 'https://accounts.google.com'

/** The claim of this name, or where it begins with /, at this JSON pointer (RFC 6901). */
export function claimAt(claims: Claims, name: string): unknown {
  if (!name.startsWith('/')) return Object.hasOwn(claims, name) ? claims[name] : undefined
  let value: unknown = claims
  for (const part of name.slice(1).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (Array.isArray(value)) value = /^\d{1,6}$/.test(key) ? value[Number(key)] : undefined
    else value = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined
  }
  return value
}

/** A claim that is a text with something in it. */
export function textAt(claims: Claims, name: string): string | undefined {
  const value = name === '' ? undefined : claimAt(claims, name)
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined
}

/**
 * The groups of a person; undefined where the provider does not tell them. An empty list means that they are in none. Entra
 * leaves the claim out, and says so in `_claim_names`, for somebody with more than 200 groups:
 * https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference#groups-overage-claim
 */
export function groupsIn(
  claims: Claims,
  { groupsClaim }: Pick<ClaimRules, 'groupsClaim'>,
): string[] | undefined {
  if (groupsClaim === '') return undefined
  const value = claimAt(claims, groupsClaim)
  // Some providers send a single group without a list.
  const list: unknown = typeof value === 'string' && value !== '' ? [value] : value
  if (!Array.isArray(list) || !list.every((one): one is string => typeof one === 'string')) return undefined
  return [...new Set(list)].slice(0, MOST_GROUPS)
}

/** Whether somebody in these groups may sign in. Groups that are not known open nothing. */
export function isAllowed(
  groups: readonly string[] | undefined,
  { allowedGroups }: Pick<ClaimRules, 'allowedGroups'>,
): boolean {
  return allowedGroups.length === 0 || allowedGroups.some((one) => groups?.includes(one))
}

/**
 * The role of somebody in these groups. Each of the three roles is given and taken only where groups are named for it; other
 * roles are set here by administrators and stay.
 */
export function roleIn(
  groups: readonly string[],
  rules: Pick<ClaimRules, 'adminGroups' | 'billingGroups' | 'auditorGroups'>,
  current: Role,
): Role {
  const named = [
    ['admin', rules.adminGroups],
    ['auditor', rules.auditorGroups],
    ['billing', rules.billingGroups],
  ] as const
  const managed = named.filter(([, names]) => names.length > 0)
  if (current !== 'user' && !managed.some(([role]) => role === current)) return current
  return managed.find(([, names]) => names.some((one) => groups.includes(one)))?.[0] ?? 'user'
}

/**
 * The person's address in lower case, if the provider verified it or the operator trusts its domain. Google answers for an
 * address only if it is of Gmail or of the Workspace in `hd`, because others may have left the address since they proved it:
 * https://developers.google.com/identity/openid-connect/openid-connect#an-id-tokens-payload
 */
export function trustedAddress(
  claims: Claims,
  { trustEmailOf }: Pick<ClaimRules, 'trustEmailOf'>,
  issuer: string,
): string | undefined {
  const address = textAt(claims, 'email')?.normalize('NFKC').toLowerCase()
  const domain = /^[^@\s]+@([^@\s]+)$/.exec(address ?? '')?.[1]
  if (address === undefined || domain === undefined) return undefined
  // Some providers send the flag as a text.
  const isVerified = claims.email_verified === true || claims.email_verified === 'true'
  const answersFor = issuer !== GOOGLE || domain === 'gmail.com' || claims.hd === domain
  const isTrusted = trustEmailOf.map(dnsName).includes(dnsName(domain))
  return (isVerified && answersFor) || isTrusted ? address : undefined
}

/** What the person is called. */
export function nameIn(claims: Claims): string | undefined {
  const parts = [textAt(claims, 'given_name'), textAt(claims, 'family_name')].filter(Boolean).join(' ')
  return textAt(claims, 'name') ?? (parts || textAt(claims, 'preferred_username'))
}
