/**
 * What is counted of Claude Code's metrics, https://code.claude.com/docs/en/monitoring-usage: amounts alone, never a path, a command
 * or a prompt.
 */
import type { DayKind } from '../db/claude-code.ts'
import { microsOf } from '../units.ts'
import type { Point } from './points.ts'

export interface Counted {
  kind: DayKind
  /** A tool or a model; '' where there is none. */
  label: string
  amount: number
}

const TOOLS = ['Edit', 'MultiEdit', 'NotebookEdit', 'Write']
const TOKENS = new Map(
  Object.entries<DayKind>({
    input: 'input_tokens',
    output: 'output_tokens',
    cacheRead: 'cache_read_tokens',
    cacheCreation: 'cache_write_tokens',
  }),
)
const LINES = new Map(Object.entries<DayKind>({ added: 'lines_added', removed: 'lines_removed' }))
const DECISIONS = new Map(Object.entries<DayKind>({ accept: 'edits_accepted', reject: 'edits_rejected' }))
/** No point of an hour has more, so it is made up. */
const MOST = 1_000_000_000

/** Undefined for what is not counted. `modelLabel`: the name under which a model is counted. */
export function countedOf(
  { metric, attributes, value }: Point,
  modelLabel: (model: string) => string,
): Counted | undefined {
  const attribute = (name: string) => attributes.get(name) ?? ''
  const model = () => modelLabel(attribute('model'))
  switch (metric) {
    case 'claude_code.lines_of_code.count':
      return counted(LINES.get(attribute('type')), '', value)
    case 'claude_code.commit.count':
      return counted('commits', '', value)
    case 'claude_code.pull_request.count':
      return counted('pull_requests', '', value)
    case 'claude_code.code_edit_tool.decision': {
      const tool = attribute('tool_name') || attribute('tool')
      return TOOLS.includes(tool) ? counted(DECISIONS.get(attribute('decision')), tool, value) : undefined
    }
    case 'claude_code.active_time.total':
      return counted('active_ms', '', value * 1000)
    case 'claude_code.cost.usage':
      return counted('cost_micros', model(), microsOf(value))
    case 'claude_code.token.usage':
      return counted(TOKENS.get(attribute('type')), model(), value)
    default:
      return undefined
  }
}

function counted(kind: DayKind | undefined, label: string, value: number): Counted | undefined {
  const amount = Math.round(value)
  return kind && amount > 0 && amount <= MOST ? { kind, label, amount } : undefined
}
