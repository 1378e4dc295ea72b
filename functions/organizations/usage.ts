/** What was used, as cost tools ask for it. */
import * as z from 'zod'
import { users } from '../../core/db/schema.ts'
import type { Db } from '../../core/ports.ts'
import type { BucketRow, UsageDimension } from '../../core/reports/for-programs.ts'
import { among } from '../../core/reports/totals.ts'
import { optionalLine } from '../fields.ts'
import { report } from '../route.ts'
import { byPlace, usageOfPage } from './bucket-rows.ts'
import { bucketList, bucketListOf, bucketPage, spanQuery } from './buckets.ts'
import { anyUser, tagged, USAGE, userTag, workspaceTag } from './fields.ts'

const GROUPS = {
  account_id: 'user',
  api_key_id: 'key',
  model: 'model',
  workspace_id: 'group',
  service_tier: 'tier',
  context_window: 'window',
  inference_geo: 'geo',
  speed: 'speed',
} as const satisfies Record<string, UsageDimension>
const GROUP_NAMES = [
  'account_id',
  'api_key_id',
  'model',
  'workspace_id',
  'service_tier',
  'context_window',
  'inference_geo',
  'speed',
] as const

const told = z.string().nullable()
const UsageResult = z
  .strictObject({
    uncached_input_tokens: z.int(),
    cache_read_input_tokens: z.int(),
    cache_creation: z.strictObject({
      ephemeral_5m_input_tokens: z.int(),
      ephemeral_1h_input_tokens: z.int(),
    }),
    output_tokens: z.int(),
    server_tool_use: z.strictObject({ web_search_requests: z.int() }),
    account_id: told,
    api_key_id: told,
    model: told,
    workspace_id: told,
    service_tier: told,
    context_window: told,
    inference_geo: told,
    speed: told,
  })
  .meta({ id: 'UsageResult' })
const many = <S extends z.ZodType>(value: S) => z.array(value).max(100).optional()
const text = many(optionalLine(200))

export const usage = [
  report({
    path: '/v1/organizations/usage_report/messages',
    ...USAGE,
    summary:
      'Tokens by minute, hour or day in UTC. Minutes, and tiers, windows, geographies and speeds, only as far back as rows of calls are kept.',
    query: z.strictObject({
      ...spanQuery,
      bucket_width: z.enum(['1d', '1h', '1m']).default('1d'),
      group_by: z.array(z.enum(GROUP_NAMES)).max(20).default([]),
      account_ids: many(anyUser),
      api_key_ids: many(tagged('apikey')),
      workspace_ids: many(tagged('wrkspc')),
      models: text,
      service_tiers: text,
      context_window: text,
      inference_geos: text,
      speeds: text,
    }),
    repeats: [
      'group_by',
      'account_ids',
      'api_key_ids',
      'workspace_ids',
      'models',
      'service_tiers',
      'context_window',
      'inference_geos',
      'speeds',
    ],
    reply: bucketList(UsageResult),
    async handle({ deps: { db, clock }, query }) {
      const asked = bucketPage(query, query.bucket_width, clock.now())
      const { rows, page } = await usageOfPage(db, asked, {
        told: [...new Set(query.group_by.map((name) => GROUPS[name]))],
        filter: {
          user: query.account_ids,
          key: query.api_key_ids,
          group: query.workspace_ids,
          model: query.models,
          tier: query.service_tiers,
          window: query.context_window,
          geo: query.inference_geos,
          speed: query.speeds,
        },
      })
      const accounts = await accountTags(db, rows)
      return bucketListOf(
        page,
        byPlace(rows, (row) => [usageOf(row, accounts)]),
      )
    },
  }),
]

/** Tags of people and service accounts by their ids. */
async function accountTags(db: Db, rows: readonly BucketRow[]): Promise<ReadonlyMap<unknown, string>> {
  const ids = [...new Set(rows.map(({ told }) => Number(told.user ?? 0)))]
  const found = await db.select({ id: users.id, kind: users.kind }).from(users).where(among(users.id, ids))
  return new Map(found.map((user) => [user.id, userTag(user)]))
}

function usageOf(row: BucketRow, accounts: ReadonlyMap<unknown, string>): z.infer<typeof UsageResult> {
  const { told } = row
  const said = (dimension: UsageDimension) => (told[dimension] ? String(told[dimension]) : null)
  return {
    uncached_input_tokens: row.inputTokens,
    cache_read_input_tokens: row.cacheReadTokens,
    cache_creation: {
      ephemeral_5m_input_tokens: row.cacheWrite5mTokens,
      ephemeral_1h_input_tokens: row.cacheWrite1hTokens,
    },
    output_tokens: row.outputTokens,
    server_tool_use: { web_search_requests: row.webSearches },
    account_id: accounts.get(told.user) ?? null,
    // The gateway's own calls have none.
    api_key_id: Number(told.key ?? 0) > 0 ? `apikey_${told.key}` : null,
    workspace_id: workspaceTag(Number(told.group ?? 0)),
    model: said('model'),
    service_tier: said('tier'),
    context_window: said('window'),
    inference_geo: said('geo'),
    speed: said('speed'),
  }
}
