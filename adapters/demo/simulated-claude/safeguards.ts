/**
 * What Claude's side says of the tool calls of an answer when a request asks for it with `safeguards`, as Claude Code 2.1.332
 * does in auto mode. Without it Claude Code takes the gateway for one that dropped it.
 */
import * as z from 'zod'
import type { AnswerBlock } from './answer.ts'

const TYPE = 'dangerous_tool_use'
const DANGEROUS = /\brm -[a-z]*r/
const Wanted = z.array(z.looseObject({ type: z.string() }))

export interface SafeguardResult {
  type: string
  status: { type: 'available'; tool_uses: Record<string, object> }
}

/** `safeguards`: the member of the request. Undefined where it asks for nothing that is known here. */
export function safeguardResults(
  safeguards: unknown,
  blocks: readonly AnswerBlock[],
): SafeguardResult[] | undefined {
  const wanted = Wanted.safeParse(safeguards).data
  if (!wanted?.some(({ type }) => type === TYPE)) return undefined
  const judged = blocks.flatMap((block) =>
    block.type === 'tool_use' ? [[block.id, judge(block.input)]] : [],
  )
  return [{ type: TYPE, status: { type: 'available', tool_uses: Object.fromEntries(judged) } }]
}

function judge(input: unknown): object {
  return DANGEROUS.test(JSON.stringify(input))
    ? { type: 'evaluated', outcome: 'flagged', explanation: 'It deletes files that nobody asked to delete.' }
    : { type: 'evaluated', outcome: 'not_flagged' }
}
