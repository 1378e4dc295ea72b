/**
 * An organisation as a file says it: groups, limits and people by name. What the file does not name stays as it is; a list or
 * an object that it names is complete.
 */
import * as z from 'zod'
import { givenName } from '../auth/account.ts'
import { microsOf } from '../units.ts'

const PERIODS = ['daily', 'weekly', 'monthly', 'total'] as const
const amount = z
  .union(
    [z.literal('unlimited'), z.number().min(0).max(1_000_000_000)],
    'US dollars or "unlimited" are expected',
  )
  .transform((given) => (given === 'unlimited' ? null : microsOf(given)))
/** By period; one that is not named has no limit of this kind. */
const limits = z.strictObject(Object.fromEntries(PERIODS.map((period) => [period, amount.optional()])))
const shared = z.strictObject({ each: limits.optional(), pool: limits.optional() })
const name = z.string().trim().min(1).max(100)
const itcode = z.string().max(254).transform(givenName)
const rate = z.int().min(0).nullable().optional()
const rates = { requests_per_minute: rate, tokens_per_minute: rate, concurrent_requests: rate }

const WantedGroup = z.strictObject({
  name,
  bills: z.boolean().optional(),
  priority: z.int().min(0).max(1_000_000).optional(),
  /** Name of the group above; null = none. */
  parent: name.nullable().optional(),
  leads_add: z.boolean().optional(),
  lead_max_usd: z.number().min(0).max(1_000_000_000).optional(),
  ...rates,
  limits: shared.optional(),
  models: z.strictObject({ allow: z.array(name).default([]), deny: z.array(name).default([]) }).optional(),
  leads: z.array(itcode).optional(),
  members: z.array(itcode).optional(),
})

const WantedPerson = z.strictObject({
  itcode,
  name: name.optional(),
  role: z.enum(['user', 'admin', 'billing', 'auditor']).optional(),
  kind: z.enum(['person', 'service']).optional(),
  status: z.enum(['active', 'disabled']).optional(),
  quota_tokens: z.int().min(0).optional(),
  ...rates,
  limits: limits.optional(),
  /** Name of the group that their calls are booked to; null = as their groups say. */
  billing_group: name.nullable().optional(),
})

export const Wanted = z.strictObject({
  organisation: shared.optional(),
  groups: z.array(WantedGroup).default([]),
  people: z.array(WantedPerson).default([]),
})
export type Wanted = z.output<typeof Wanted>
export type WantedGroup = Wanted['groups'][number]
export type WantedPerson = Wanted['people'][number]
/** Micro-dollars by period; null = unlimited. */
export type WantedLimits = Partial<Record<(typeof PERIODS)[number], number | null | undefined>>
