/** Routes for the catalogue: the models, what they are, who may use them, and how they do here. */
import * as z from 'zod'
import { THINKING } from '../core/models/abilities.ts'
import { availableModels } from '../core/models/available.ts'
import { ABILITIES, describeModel } from '../core/models/describe.ts'
import { modelFigures } from '../core/reports/model-figures.ts'
import { timeText, usdOf } from '../core/units.ts'
import { timestamp } from './fields.ts'
import { report, route } from './route.ts'

const rate = z.number().meta({ description: 'US dollars per million tokens.' })
const Pricing = z
  .strictObject({ input: rate, output: rate, cache_read: rate, cache_write_5m: rate, cache_write_1h: rate })
  .meta({ id: 'Pricing' })
const size = z.int().nullable().meta({ description: 'In tokens; null = not known.' })
const ModelView = z
  .strictObject({
    id: z.string(),
    canonical: z.string().meta({ description: 'Its name without date and prefix.' }),
    display_name: z.string(),
    access: z.enum(['open', 'granted', 'pending', 'approval', 'closed']),
    general_access: z.enum(['open', 'approval', 'closed']).meta({
      description: 'What everybody has whom no group opens or closes it for.',
    }),
    pricing: Pricing.nullable(),
    context_tokens: size,
    max_output_tokens: size,
    abilities: z.array(z.enum(ABILITIES)),
    thinking: z
      .array(z.enum(THINKING))
      .meta({ description: 'What `thinking.type` may be; empty = not known.' }),
    retires_at: timestamp.nullable().meta({ description: 'As the upstream says; may be over.' }),
  })
  .meta({ id: 'OfferedModel' })
export type ModelView = z.infer<typeof ModelView>

const FiguresOfModel = z
  .strictObject({
    model: z.string().meta({ description: 'As calls were sent.' }),
    first_byte_ms: z.number().nullable().meta({ description: 'Of streamed answers.' }),
    tokens_per_second: z.number().nullable().meta({ description: 'From the first byte to the last.' }),
    cost_usd: z.number().nullable().meta({ description: 'null where fewer than three people called it.' }),
    own_cost_usd: z.number().nullable(),
  })
  .meta({ id: 'ModelFigures' })
export type FiguresOfModel = z.infer<typeof FiguresOfModel>

export const models = [
  route({
    method: 'GET',
    path: '/api/models',
    tier: 'session',
    summary: 'The models on offer, what they are, and whether the caller may use or ask for each.',
    reply: z.strictObject({ models: z.array(ModelView) }),
    async handle({ deps, caller }) {
      const now = deps.clock.now()
      const available = await availableModels(deps, caller.user.id)
      return {
        models: available.map((model): ModelView => {
          const { contextTokens, maxOutputTokens, abilities, thinking, retiresAt } = describeModel(
            deps,
            model,
            now,
          )
          const rates = deps.prices.rates(model.id, now)
          return {
            id: model.id,
            canonical: model.canonical,
            display_name: model.displayName,
            access: model.access,
            general_access: model.general,
            pricing: rates ? pricingOf(rates) : null,
            context_tokens: contextTokens,
            max_output_tokens: maxOutputTokens,
            abilities,
            thinking,
            retires_at: retiresAt === null ? null : timeText(retiresAt),
          }
        }),
      }
    },
  }),
  report({
    path: '/api/models/figures',
    tier: 'session',
    summary:
      'How fast models answered here and what a call cost: medians of the latest 5,000 calls of 30 days that went well.',
    reply: z.strictObject({ figures: z.array(FiguresOfModel) }),
    async handle({ deps, caller }) {
      const found = await modelFigures(deps.db, { userId: caller.user.id, now: deps.clock.now() })
      const usd = (micros: number | null) => (micros === null ? null : usdOf(micros))
      return {
        figures: found.map(({ model, firstByteMs, tokensPerSecond, costMicros, ownCostMicros }) => ({
          model,
          first_byte_ms: firstByteMs,
          tokens_per_second: tokensPerSecond,
          cost_usd: usd(costMicros),
          own_cost_usd: usd(ownCostMicros),
        })),
      }
    },
  }),
]

function pricingOf(rates: z.infer<typeof Pricing>): z.infer<typeof Pricing> {
  const { input, output, cache_read, cache_write_5m, cache_write_1h } = rates
  return { input, output, cache_read, cache_write_5m, cache_write_1h }
}
