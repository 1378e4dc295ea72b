/** Shapes that several functions share in their answers. */
import * as z from 'zod'
import type { User } from '../core/auth/account.ts'
import { timeText, usdOf } from '../core/units.ts'
import { timestamp } from './fields.ts'

/** Requests per minute or at once; 0 = no limit. */
export const requestLimit = z.int().min(0).max(1_000_000)

export const UserView = z
  .strictObject({
    id: z.int(),
    itcode: z.string(),
    name: z.string(),
    role: z.enum(['user', 'admin']),
    status: z.enum(['active', 'disabled']),
    quota_tokens: z.int().meta({ description: 'Tokens per period; 0 is no limit.' }),
    budget_usd: z.number().meta({ description: 'US dollars per period; 0 is no limit.' }),
    requests_per_minute: requestLimit.nullable().meta({ description: 'null is as configured.' }),
    concurrent_requests: requestLimit.nullable().meta({ description: 'null is as configured.' }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'User' })
export type UserView = z.infer<typeof UserView>

export function userView(user: User): UserView {
  return {
    id: user.id,
    itcode: user.itcode,
    name: user.name,
    role: user.role,
    status: user.status,
    quota_tokens: user.quotaTokens,
    budget_usd: usdOf(user.budgetMicros),
    requests_per_minute: user.requestsPerMinute,
    concurrent_requests: user.concurrentRequests,
    created_at: timeText(user.createdAt),
    updated_at: timeText(user.updatedAt),
  }
}
