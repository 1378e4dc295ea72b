/** Who calls: the owner of a key, with everything that is decided by who it is. */
import type { Network } from '../http/networks.ts'
import type { ModelRules } from '../models/access.ts'
import type { Counter } from '../ports.ts'

export interface Caller {
  userId: number
  itcode: string
  keyId: number
  keyPrefix: string
  /** The caller showed the secret that the key had before it was rotated. */
  hasOldSecret: boolean
  /** The group that the caller's calls are booked to (0 = unassigned), then its parents. */
  billingGroupIds: readonly [number, ...number[]]
  /** What the caller's calls count against: the user, the key, the groups above and the organisation. */
  counters: readonly Counter[]
  /** Canonical names of the models granted to the user. */
  grants: ReadonlySet<string>
  /** Models that the user's groups open and close, and those that the key is for. */
  models: ModelRules
  /** Networks that the key may be used from; undefined = any. */
  networks: readonly Network[] | undefined
  /** The same caller at `now` (ms since 1970), booked to the billing group of this name; undefined unless they are in it. */
  billedTo(group: string, now: number): Caller | undefined
}
