/** What was spent, as cost tools ask for it. */
import * as z from 'zod'
import type { BucketRow } from '../../core/reports/for-programs.ts'
import { report } from '../route.ts'
import { byPlace, usageOfPage } from './bucket-rows.ts'
import { bucketList, bucketListOf, bucketPage, spanQuery } from './buckets.ts'
import { centsText, USAGE, workspaceTag } from './fields.ts'

const told = z.string().nullable()
const CostResult = z
  .strictObject({
    amount: z.string().meta({ description: 'US cents, exact to a micro-dollar.' }),
    currency: z.literal('USD'),
    description: told,
    cost_type: told,
    model: told,
    token_type: told,
    workspace_id: told,
    service_tier: z.null(),
    context_window: z.null(),
    inference_geo: z.null(),
  })
  .meta({ id: 'CostResult' })
/** What the cost of a row consists of, as token_type and in the description. */
const PARTS: readonly [part: keyof BucketRow, type: string, name: string][] = [
  ['inputMicros', 'uncached_input_tokens', 'Input Tokens'],
  ['outputMicros', 'output_tokens', 'Output Tokens'],
  ['cacheReadMicros', 'cache_read_input_tokens', 'Input Tokens, Cache Read'],
  ['cacheWrite5mMicros', 'cache_creation.ephemeral_5m_input_tokens', 'Input Tokens, Cache Write 5m'],
  ['cacheWrite1hMicros', 'cache_creation.ephemeral_1h_input_tokens', 'Input Tokens, Cache Write 1h'],
]

export const costs = [
  report({
    path: '/v1/organizations/cost_report',
    ...USAGE,
    summary: 'What each day in UTC cost.',
    query: z.strictObject({
      ...spanQuery,
      bucket_width: z.literal('1d').default('1d'),
      group_by: z
        .array(z.enum(['workspace_id', 'description']))
        .max(20)
        .default([]),
    }),
    repeats: ['group_by'],
    reply: bucketList(CostResult),
    async handle({ deps: { db, clock }, query }) {
      const asked = bucketPage(query, query.bucket_width, clock.now())
      const isDescribed = query.group_by.includes('description')
      const told = [
        ...(query.group_by.includes('workspace_id') ? (['group'] as const) : []),
        ...(isDescribed ? (['model'] as const) : []),
      ]
      const { rows, page } = await usageOfPage(db, asked, { told, filter: {} })
      return bucketListOf(
        page,
        byPlace(rows, isDescribed ? describedCosts : (row) => [costOf(row, row.costMicros)]),
      )
    },
  }),
]

type Described = Partial<
  Pick<z.infer<typeof CostResult>, 'description' | 'cost_type' | 'token_type' | 'model'>
>

function costOf(row: BucketRow, micros: number, described: Described = {}): z.infer<typeof CostResult> {
  return {
    amount: centsText(micros),
    currency: 'USD',
    description: null,
    cost_type: null,
    model: null,
    token_type: null,
    ...described,
    workspace_id: workspaceTag(Number(row.told.group ?? 0)),
    service_tier: null,
    context_window: null,
    inference_geo: null,
  }
}

/** The parts of the cost, which add up to it. What an earlier release did not split is a part without a token type. */
function describedCosts(row: BucketRow): z.infer<typeof CostResult>[] {
  const model = String(row.told.model ?? '')
  const name = model || 'No model'
  const parts = PARTS.map(([part, type, what]) => ({
    micros: Number(row[part]),
    described: { description: `${name} Usage - ${what}`, cost_type: 'tokens', token_type: type, model },
  }))
  const searches = { description: 'Web Search Usage', cost_type: 'web_search', token_type: null, model: null }
  const split = parts.reduce((sum, { micros }) => sum + micros, row.serverToolMicros)
  const rest = { description: `${name} Usage`, cost_type: 'tokens', token_type: null, model }
  return [
    ...parts,
    { micros: row.serverToolMicros, described: searches },
    { micros: row.costMicros - split, described: rest },
  ].flatMap(({ micros, described }) => (micros === 0 ? [] : [costOf(row, micros, described)]))
}
