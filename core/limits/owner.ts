/** Owners of limits: what a call counts against. */
import type { CallRecord, Owner } from '../ports.ts'

/** Everybody together. */
export const ORGANISATION: Owner = { scope: 'organisation', id: 0 }

/** `user:7`, `key:12`, `group:3`, `organisation:0`: limit_spent.owner. */
export function ownerText({ scope, id }: Owner): string {
  return `${scope}:${id}`
}

/** Throws if the text is of no owner. */
export function parseOwner(text: string): Owner {
  const [scope, id] = text.split(':')
  if (scope !== 'user' && scope !== 'key' && scope !== 'group' && scope !== 'organisation') {
    throw new Error(`there is no owner ${text}`)
  }
  return { scope, id: Number(id) }
}

/** What a call counts against, as its record tells it: user, key, booked group, its parents, organisation. */
export function ownersOf({
  userId,
  keyId,
  billingGroupIds,
}: Pick<CallRecord, 'userId' | 'keyId' | 'billingGroupIds'>): [user: Owner, key: Owner, ...pools: Owner[]] {
  return [
    { scope: 'user', id: userId },
    { scope: 'key', id: keyId },
    ...billingGroupIds.map((id): Owner => ({ scope: 'group', id })),
    ORGANISATION,
  ]
}
