/** Shapes that several functions share in their answers. */
import * as z from 'zod'
import type { User } from '../core/auth/account.ts'
import { timeText, usdOf } from '../core/units.ts'
import { timestamp } from './fields.ts'

/** Requests per minute or at once; 0 = no limit. */
export const requestLimit = z.int().min(0).max(1_000_000)

/** Tokens per minute: input without cache reads, and output; 0 = no limit. */
export const tokenRate = z.int().min(0).max(1_000_000_000_000)

export const UserView = z
  .strictObject({
    id: z.int(),
    itcode: z.string(),
    name: z.string(),
    role: z.enum(['user', 'admin', 'billing', 'auditor']),
    status: z.enum(['active', 'disabled']),
    kind: z
      .enum(['person', 'service'])
      .meta({ description: 'A service account is a program’s: nobody signs in to it.' }),
    quota_tokens: z.int().meta({ description: 'Tokens per period; 0 is no limit.' }),
    budget_usd: z
      .number()
      .meta({ description: 'Their own spend limit of limits.period in US dollars; 0 is none of their own.' }),
    requests_per_minute: requestLimit.nullable().meta({ description: 'null is as configured.' }),
    tokens_per_minute: tokenRate.nullable().meta({ description: 'null is as configured.' }),
    concurrent_requests: requestLimit.nullable().meta({ description: 'null is as configured.' }),
    billing_group_id: z.int().nullable().meta({
      description: 'The group that an administrator booked them to; of a service account, its owner.',
    }),
    email: z
      .string()
      .nullable()
      .meta({ description: 'Where codes and notices go; null is where the name says.' }),
    email_confirmed: z.boolean().meta({
      description: 'Nobody with rights gets codes at an unconfirmed address.',
    }),
    created_at: timestamp,
    updated_at: timestamp,
    deleted_at: timestamp.nullable().meta({ description: 'null is not deleted.' }),
  })
  .meta({ id: 'User' })
export type UserView = z.infer<typeof UserView>

/** `ownMicros`: their own spend limit of limits.period; 0 = none. */
export function userView(user: User, ownMicros: number): UserView {
  return {
    id: user.id,
    itcode: user.itcode,
    name: user.name,
    role: user.role,
    status: user.status,
    kind: user.kind,
    quota_tokens: user.quotaTokens,
    budget_usd: usdOf(ownMicros),
    requests_per_minute: user.requestsPerMinute,
    tokens_per_minute: user.tokensPerMinute,
    concurrent_requests: user.concurrentRequests,
    billing_group_id: user.billingGroupId,
    email: user.email,
    email_confirmed: !user.emailUnconfirmed,
    created_at: timeText(user.createdAt),
    updated_at: timeText(user.updatedAt),
    deleted_at: user.deletedAt === null ? null : timeText(user.deletedAt),
  }
}
