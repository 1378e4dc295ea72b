/**
 * What a model can do, for the translation of OpenAI's requests. The upstream's model list goes first; config/abilities.json
 * (source: core/calls/PROTOCOL.md, Models) fills in what the list leaves out. For unknown models it names only what every
 * current model accepts.
 */
import * as z from 'zod'
import { matches } from '../glob.ts'
import type { ListedModel } from './catalogue.ts'

const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'] as const
export const THINKING = ['adaptive', 'between_tools', 'disabled', 'enabled'] as const
export type Effort = (typeof EFFORTS)[number]
export type ThinkingType = (typeof THINKING)[number]

const Row = z.strictObject({
  max_output: z.int(),
  /** Accepts temperature and top_p. */
  sampling: z.boolean(),
  /** Accepts tool_choice any and tool. */
  forced_tools: z.boolean(),
  /** Continues a last message of the assistant. */
  prefill: z.boolean(),
  /** Accepts role system between messages. */
  system_in_place: z.boolean(),
  structured_outputs: z.boolean(),
  thinking_by_default: z.boolean(),
  thinking: z.array(z.enum(THINKING)),
  effort: z.array(z.enum(EFFORTS)),
  /** Takes `speed: fast`. */
  fast: z.boolean().default(false),
})
export const AbilityTable = z.array(
  Row.extend({
    match: z.array(z.string()),
    except: z.array(Row.extend({ fast: z.boolean() }).partial().extend({ match: z.string() })).default([]),
  }),
)
export type AbilityTable = z.infer<typeof AbilityTable>

export interface Abilities {
  maxOutput: number
  sampling: boolean
  forcedTools: boolean
  prefill: boolean
  systemInPlace: boolean
  structuredOutputs: boolean
  thinkingByDefault: boolean
  thinking: ReadonlySet<ThinkingType>
  effort: ReadonlySet<Effort>
  fast: boolean
}

const supported = z.looseObject({ supported: z.boolean() })
/** Abilities as the upstream lists them (core/calls/PROTOCOL.md, Models). */
const Capabilities = z.looseObject({
  max_tokens: z.int().positive().optional(),
  capabilities: z
    .looseObject({
      thinking: z.looseObject({ types: z.partialRecord(z.enum(THINKING), supported).optional() }).optional(),
      effort: z.looseObject({}).optional(),
      structured_outputs: supported.optional(),
    })
    .optional(),
})

/** `canonical`: the model's canonical name. `listed`: its entry in the upstream's list. Throws if `table` has no row for it. */
export function abilitiesOf(table: AbilityTable, canonical: string, listed?: ListedModel): Abilities {
  const row = table.find(({ match }) => match.some((pattern) => matches(pattern, canonical)))
  if (!row) throw new Error('the table of abilities has no row for every model')
  const own = Object.assign(
    {},
    row,
    row.except.find(({ match }) => matches(match, canonical)),
  )
  const { max_tokens, capabilities = {} } = Capabilities.safeParse(listed ?? {}).data ?? {}
  const types = capabilities.thinking?.types
  const levels = capabilities.effort
  return {
    maxOutput: max_tokens ?? own.max_output,
    sampling: own.sampling,
    forcedTools: own.forced_tools,
    prefill: own.prefill,
    systemInPlace: own.system_in_place,
    structuredOutputs: capabilities.structured_outputs?.supported ?? own.structured_outputs,
    thinkingByDefault: own.thinking_by_default,
    thinking: new Set(types ? THINKING.filter((type) => types[type]?.supported) : own.thinking),
    effort: new Set(
      levels ? EFFORTS.filter((level) => supported.safeParse(levels[level]).data?.supported) : own.effort,
    ),
    fast: own.fast,
  }
}
