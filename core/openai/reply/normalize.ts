/** Brings Claude's events into the one form that translators read, because upstreams differ in how they write blocks. */
import { isRecord } from '../../json/is-record.ts'
import { createFreeNames } from '../free-names.ts'
import type { ClaudeEvent, Delta, StartedBlock } from './events.ts'

type OnEvent = (event: ClaudeEvent) => void

/**
 * Passes events on. What a block begins with follows as deltas, a message that ends has a stop reason, and ids of tool calls
 * are unique: among each other, and against `usedIds`, those of the conversation so far.
 */
export function createNormalizer(next: OnEvent, usedIds: Iterable<string> = []): OnEvent {
  const ownId = createIds(usedIds)
  /** Blocks that did not end yet. Some upstreams do not say that they end. */
  const open = new Set<number>()
  /** Index of a tool's block → the input it began with, which counts only if no delta follows. */
  const inputs = new Map<number, string>()
  let calls = false
  let hasReason = false

  function started(index: number, block: StartedBlock) {
    const isTool = block.type === 'tool_use' || block.type === 'server_tool_use'
    if (isTool && isRecord(block.input) && Object.keys(block.input).length > 0) {
      inputs.set(index, JSON.stringify(block.input))
    }
    calls ||= block.type === 'tool_use'
    const { bare, deltas } = taken(block)
    const content_block = bare.type === 'tool_use' ? { ...bare, id: ownId(bare.id) } : bare
    next({ type: 'content_block_start', index, content_block })
    for (const delta of deltas) next({ type: 'content_block_delta', index, delta })
  }
  function stopped(index: number) {
    open.delete(index)
    const partial_json = inputs.get(index)
    inputs.delete(index)
    if (partial_json !== undefined) {
      next({ type: 'content_block_delta', index, delta: { type: 'input_json_delta', partial_json } })
    }
    next({ type: 'content_block_stop', index })
  }

  function ended(event: Extract<ClaudeEvent, { type: 'message_delta' }>) {
    for (const index of open) stopped(index)
    hasReason ||= Boolean(event.delta.stop_reason)
    next(event)
  }

  return (event) => {
    switch (event.type) {
      case 'content_block_start':
        open.add(event.index)
        return started(event.index, event.content_block)
      case 'content_block_delta':
        if (event.delta.type === 'input_json_delta' && event.delta.partial_json !== '')
          inputs.delete(event.index)
        return next(event)
      case 'content_block_stop':
        return stopped(event.index)
      case 'message_delta':
        return ended(event)
      case 'message_stop':
        // Some upstreams do not say why a message ended.
        if (!hasReason)
          ended({ type: 'message_delta', delta: { stop_reason: calls ? 'tool_use' : 'end_turn' } })
        return next(event)
      default:
        return next(event)
    }
  }
}

/** A block without what it begins with, and that as deltas; inputs of tools are left out. */
function taken(block: StartedBlock): { bare: StartedBlock; deltas: Delta[] } {
  switch (block.type) {
    case 'text': {
      const cited = (block.citations ?? []).map((citation): Delta => ({ type: 'citations_delta', citation }))
      const text: Delta[] = block.text ? [{ type: 'text_delta', text: block.text }] : []
      return { bare: { type: 'text' }, deltas: [...text, ...cited] }
    }
    case 'thinking': {
      const { thinking, signature } = block
      const thought: Delta[] = thinking ? [{ type: 'thinking_delta', thinking }] : []
      const signed: Delta[] = signature ? [{ type: 'signature_delta', signature }] : []
      return { bare: { type: 'thinking' }, deltas: [...thought, ...signed] }
    }
    case 'tool_use':
    case 'server_tool_use': {
      const { type, id, name } = block
      return { bare: { type, id, name }, deltas: [] }
    }
    default:
      return { bare: block, deltas: [] }
  }
}

/** Answers the id of a further call, which may be said to be none or one that there is. */
function createIds(used: Iterable<string>): (id: string) => string {
  const ids = new Set(used)
  const free = createFreeNames((id) => ids.has(id))
  return (id) => {
    const own = free(id || 'call')
    ids.add(own)
    return own
  }
}
