/** The keys of limits in Redis; what each has is said in redis-scripts.ts. */
import { ownerText } from '../../../core/limits/owner.ts'
import type { Owner } from '../../../core/ports.ts'

/** Earlier releases had keys of other names beside `owners`. */
const PREFIX = 'claude-gateway:{limits}:owners'
const keyOf = (name: string) => `${PREFIX}:${name}`

export const SHARED_KEYS = {
  ends: keyOf('ends'),
  lost: keyOf('lost'),
  begun: keyOf('begun'),
  holds: keyOf('holds'),
  held: keyOf('held'),
  used: keyOf('used'),
}

export const rateKey = (owner: Owner) => keyOf(`rate:${ownerText(owner)}`)
export const minuteKey = (owner: Owner) => keyOf(`minute:${ownerText(owner)}`)

/** Calls of a key are with those of its user. */
export function recentKey(owner: Owner, userId: number): string {
  return keyOf(`recent:${ownerText(owner.scope === 'key' ? { scope: 'user', id: userId } : owner)}`)
}

/** Marks a call as settled for a day, so that it is counted once however often it is settled. */
export const settledKey = (id: string) => keyOf(`settled:${id}`)
