/** How keys are shown. */
import * as z from 'zod'
import type { ListedKey } from '../core/keys/list.ts'
import { listsOf } from '../core/keys/manage.ts'
import type { Totals } from '../core/reports/totals.ts'
import { timeText, usdOf } from '../core/units.ts'
import { timestamp } from './fields.ts'
import { inPieces } from './respond.ts'
import { requestLimit, tokenRate } from './views.ts'

export const KeyView = z
  .strictObject({
    id: z.int(),
    user_id: z.int(),
    name: z.string(),
    prefix: z.string(),
    last4: z.string(),
    status: z.enum(['active', 'disabled']),
    disabled_by: z.enum(['owner', 'admin']).nullable(),
    expires_at: timestamp.nullable(),
    previous: z
      .strictObject({
        prefix: z.string(),
        last4: z.string(),
        ends_at: timestamp,
        last_used_at: timestamp.nullable().meta({ description: 'Since it was replaced, to a minute.' }),
      })
      .nullable()
      .meta({ description: 'The secret before this one, and until when it works; null if there was none.' }),
    quota_tokens: z.int().meta({ description: "Tokens per period, beside the owner's limit; 0 is none." }),
    budget_usd: z.number().meta({ description: 'US dollars per period, as above.' }),
    requests_per_minute: requestLimit,
    tokens_per_minute: tokenRate,
    concurrent_requests: requestLimit,
    billing_group_id: z
      .int()
      .nullable()
      .meta({ description: "The group that its calls are booked to; null is its owner's." }),
    models: z.array(z.string()).nullable().meta({
      description: 'Globs of the models that it may be used for; null is all that its owner may use.',
    }),
    networks: z
      .array(z.string())
      .nullable()
      .meta({ description: 'Networks that it may be used from, in CIDR notation; null is any.' }),
    created_at: timestamp,
    last_used_at: timestamp.nullable(),
    requests: z.int(),
    cost_usd: z.number(),
  })
  .meta({ id: 'Key' })
export type KeyView = z.infer<typeof KeyView>
export const OwnedKey = KeyView.extend({
  itcode: z.string(),
  owner_kind: z.enum(['person', 'service']),
}).meta({ id: 'OwnedKey' })
export const NewKey = KeyView.extend({
  key: z.string().meta({ description: 'The secret. It is in this answer only.' }),
}).meta({ id: 'NewKey' })

export const KeyAnswer = z.strictObject({ key: KeyView })
export function keyView({ key, requests, costMicros, lastUsedAt }: Pick<ListedKey, 'key'> & Totals): KeyView {
  return {
    id: key.id,
    user_id: key.userId,
    name: key.name,
    prefix: key.prefix,
    last4: key.last4,
    status: key.status,
    disabled_by: key.disabledBy,
    expires_at: key.expiresAt === null ? null : timeText(key.expiresAt),
    previous: previousOf(key),
    quota_tokens: key.quotaTokens,
    budget_usd: usdOf(key.budgetMicros),
    requests_per_minute: key.requestsPerMinute,
    tokens_per_minute: key.tokensPerMinute,
    concurrent_requests: key.concurrentRequests,
    billing_group_id: key.billingGroupId,
    ...listsOf(key),
    created_at: timeText(key.createdAt),
    last_used_at: lastUsedAt === null ? null : timeText(lastUsedAt),
    requests,
    cost_usd: usdOf(costMicros),
  }
}

export function ownedKeyView(listed: ListedKey): z.infer<typeof OwnedKey> {
  return { ...keyView(listed), itcode: listed.itcode, owner_kind: listed.ownerKind }
}

/** All keys as their list is answered, but piece by piece. */
export function everyKey(
  id: string,
  { total, slices }: { total: number; slices: AsyncGenerator<ListedKey[]> },
): Response {
  async function* pieces() {
    let before = `{"total":${total},"keys":[`
    for await (const slice of slices) {
      const texts = slice.map((one) => JSON.stringify(OwnedKey.parse(ownedKeyView(one))))
      if (texts.length === 0) continue
      yield before + texts.join(',')
      before = ','
    }
    yield before === ',' ? ']}' : `${before}]}`
  }
  return inPieces(pieces(), id)
}

function previousOf(key: ListedKey['key']): KeyView['previous'] {
  const { previousPrefix: prefix, previousLast4: last4, previousEndsAt: endsAt, expiresAt } = key
  const { previousUsedAt: usedAt } = key
  if (prefix === null || last4 === null || endsAt === null) return null
  return {
    prefix,
    last4,
    ends_at: timeText(Math.min(endsAt, expiresAt ?? endsAt)),
    last_used_at: usedAt === null ? null : timeText(usedAt),
  }
}
