/** What each person used Claude Code for on one day: from the log, and what only its telemetry tells. */
import * as z from 'zod'
import type { DayKind } from '../../core/db/claude-code.ts'
import { databaseId } from '../../core/db/identity.ts'
import { apiKeys, users } from '../../core/db/schema.ts'
import type { Db } from '../../core/ports.ts'
import { type BucketRow, usageInBuckets } from '../../core/reports/for-programs.ts'
import { among } from '../../core/reports/totals.ts'
import type { Settings } from '../../core/settings.ts'
import { sumsOfDay } from '../../core/telemetry/daily-sums.ts'
import { DAY_MS } from '../../core/units.ts'
import { mailTo } from '../../core/users/address.ts'
import { report } from '../route.ts'
import { date } from '../usage-views.ts'
import { byPage, MICROS_PER_CENT, USAGE } from './fields.ts'

const count = z.int()
const decided = z.strictObject({ accepted: count, rejected: count })
const UsageView = z
  .strictObject({
    date: z.string(),
    actor: z.union([
      z.strictObject({ type: z.literal('user_actor'), email_address: z.string() }),
      z.strictObject({ type: z.literal('api_actor'), api_key_name: z.string() }),
    ]),
    organization_id: z.string(),
    customer_type: z.literal('api'),
    terminal_type: z.literal('unknown'),
    is_remote: z.literal(false),
    core_metrics: z.strictObject({
      num_sessions: count,
      lines_of_code: z.strictObject({ added: count, removed: count }),
      commits_by_claude_code: count,
      pull_requests_by_claude_code: count,
    }),
    tool_actions: z.strictObject({
      edit_tool: decided,
      multi_edit_tool: decided,
      notebook_edit_tool: decided,
      write_tool: decided,
    }),
    model_breakdown: z.array(
      z.strictObject({
        model: z.string(),
        tokens: z.strictObject({
          input: z.int(),
          output: z.int(),
          cache_read: z.int(),
          cache_creation: z.int(),
        }),
        estimated_cost: z.strictObject({ amount: z.number(), currency: z.literal('USD') }),
      }),
    ),
  })
  .meta({ id: 'ClaudeCodeUsage' })
type UsageView = z.infer<typeof UsageView>

const UNKNOWN = { customer_type: 'api', terminal_type: 'unknown', is_remote: false } as const

const OF_MODELS = new Set<DayKind>([
  'cost_micros',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
])

export const claudeCode = report({
  path: '/v1/organizations/usage_report/claude_code',
  ...USAGE,
  summary: 'What each person, and each key of a service account, used in Claude Code on one day in UTC.',
  query: z.strictObject({ ...byPage, starting_at: date }),
  reply: z.strictObject({
    data: z.array(UsageView),
    has_more: z.boolean(),
    next_page: z.string().nullable(),
  }),
  async handle({ deps: { db, settings }, query }) {
    const { starting_at: day, limit, page = -1 } = query
    const rows = await usageInBuckets(db, {
      told: ['user', 'key', 'model'],
      filter: {},
      client: 'claude-code',
      from: Date.parse(day),
      ms: DAY_MS,
      count: 1,
    })
    const told = await sumsOfDay(db, Date.parse(day))
    const actors = (await actorsOf(db, rows, told, settings)).filter(({ place }) => place > page)
    const shown = actors.slice(0, limit)
    const hasMore = actors.length > shown.length
    const common = { ...UNKNOWN, date: `${day}T00:00:00Z`, organization_id: `org_${await databaseId(db)}` }
    return {
      data: shown.map(({ actor, rows, told }) => ({
        ...common,
        actor,
        ...figuresOf(told),
        model_breakdown: rows.length > 0 ? breakdownOf(rows) : toldBreakdown(told),
      })),
      has_more: hasMore,
      next_page: hasMore ? `page_${shown.at(-1)?.place}` : null,
    }
  },
})

interface Acting {
  /** Where it stands in the list, which never changes. */
  place: number
  actor: UsageView['actor']
  /** Of calls through the gateway. */
  rows: BucketRow[]
  /** Of telemetry. */
  told: Told[]
}
type Told = Awaited<ReturnType<typeof sumsOfDay>>[number]

async function actorsOf(
  db: Db,
  rows: readonly BucketRow[],
  told: readonly Told[],
  settings: Pick<Settings, 'auth'>,
): Promise<Acting[]> {
  const used = [
    ...rows.map((row) => ({ userId: Number(row.told.user), keyId: Number(row.told.key), row })),
    ...told.map((sum) => ({ userId: sum.userId, keyId: sum.apiKeyId, sum })),
  ]
  const idsOf = (name: 'userId' | 'keyId') => [...new Set(used.map((one) => one[name]))]
  const [people, keys] = await Promise.all([
    db
      .select()
      .from(users)
      .where(among(users.id, idsOf('userId'))),
    db
      .select()
      .from(apiKeys)
      .where(among(apiKeys.id, idsOf('keyId'))),
  ])
  const userOf = new Map(people.map((user) => [user.id, user]))
  const nameOf = new Map(keys.map(({ id, name }) => [id, name]))
  const acting = new Map<number, Acting>()
  for (const { userId, keyId, ...one } of used) {
    const user = userOf.get(userId)
    const isPerson = user?.kind === 'person'
    const place = isPerson ? userId * 2 : keyId * 2 + 1
    const actor = isPerson
      ? ({ type: 'user_actor', email_address: mailTo(user, settings.auth) } as const)
      : ({ type: 'api_actor', api_key_name: nameOf.get(keyId) ?? `key ${keyId}` } as const)
    const known: Acting = acting.get(place) ?? { place, actor, rows: [], told: [] }
    if ('row' in one) known.rows.push(one.row)
    else known.told.push(one.sum)
    acting.set(place, known)
  }
  return [...acting.values()].toSorted((a, b) => a.place - b.place)
}

/** A person may have used a model with several keys. */
function breakdownOf(rows: readonly BucketRow[]): UsageView['model_breakdown'] {
  return [...Map.groupBy(rows, ({ told }) => String(told.model))].map(([model, ofModel]) => {
    const sum = (amountOf: (row: BucketRow) => number) => ofModel.reduce((all, row) => all + amountOf(row), 0)
    return {
      model,
      tokens: {
        input: sum((row) => row.inputTokens),
        output: sum((row) => row.outputTokens),
        cache_read: sum((row) => row.cacheReadTokens),
        cache_creation: sum((row) => row.cacheWrite5mTokens + row.cacheWrite1hTokens),
      },
      estimated_cost: { amount: sum((row) => row.costMicros) / MICROS_PER_CENT, currency: 'USD' },
    }
  })
}

function figuresOf(told: readonly Told[]): Pick<UsageView, 'core_metrics' | 'tool_actions'> {
  const sum = (wanted: DayKind, tool = '') => amountOf(told, wanted, tool)
  const decisions = (tool: string) => ({
    accepted: sum('edits_accepted', tool),
    rejected: sum('edits_rejected', tool),
  })
  return {
    core_metrics: {
      num_sessions: sum('sessions'),
      lines_of_code: { added: sum('lines_added'), removed: sum('lines_removed') },
      commits_by_claude_code: sum('commits'),
      pull_requests_by_claude_code: sum('pull_requests'),
    },
    tool_actions: {
      edit_tool: decisions('Edit'),
      multi_edit_tool: decisions('MultiEdit'),
      notebook_edit_tool: decisions('NotebookEdit'),
      write_tool: decisions('Write'),
    },
  }
}

/** Of who had no call through the gateway that day: what their Claude Code says of calls elsewhere. */
function toldBreakdown(told: readonly Told[]): UsageView['model_breakdown'] {
  const models = [...new Set(told.map(({ kind, label }) => (OF_MODELS.has(kind) ? label : '')))]
  return models.filter(Boolean).map((model) => ({
    model,
    tokens: {
      input: amountOf(told, 'input_tokens', model),
      output: amountOf(told, 'output_tokens', model),
      cache_read: amountOf(told, 'cache_read_tokens', model),
      cache_creation: amountOf(told, 'cache_write_tokens', model),
    },
    estimated_cost: { amount: amountOf(told, 'cost_micros', model) / MICROS_PER_CENT, currency: 'USD' },
  }))
}

function amountOf(told: readonly Told[], wanted: DayKind, of: string): number {
  const matching = told.filter(({ kind, label }) => kind === wanted && label === of)
  return matching.reduce((all, { amount }) => all + amount, 0)
}
