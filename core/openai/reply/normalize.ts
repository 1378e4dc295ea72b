/** Brings Claude's events into the one form that translators read, because upstreams differ in how they write blocks. */
import { isRecord } from '../../json/is-record.ts'
import type { ClaudeEvent, Delta, StartedBlock } from './events.ts'

type OnEvent = (event: ClaudeEvent) => void

/**
 * Passes events on. What a block begins with follows as deltas, and ids of tool calls are unique: among each other, and
 * against `usedIds`, those of the conversation so far.
 */
export function createNormalizer(next: OnEvent, usedIds: Iterable<string> = []): OnEvent {
  const ids = new Set(usedIds)
  /** Index of a tool's block → the input it began with, which counts only if no delta follows. */
  const inputs = new Map<number, string>()

  function started(index: number, block: StartedBlock) {
    const send = (content_block: StartedBlock, deltas: Delta[] = []) => {
      next({ type: 'content_block_start', index, content_block })
      for (const delta of deltas) next({ type: 'content_block_delta', index, delta })
    }
    switch (block.type) {
      case 'text': {
        const cited = (block.citations ?? []).map(
          (citation): Delta => ({ type: 'citations_delta', citation }),
        )
        const text: Delta[] = block.text ? [{ type: 'text_delta', text: block.text }] : []
        return send({ type: 'text' }, [...text, ...cited])
      }
      case 'thinking': {
        const { thinking, signature } = block
        const thought: Delta[] = thinking ? [{ type: 'thinking_delta', thinking }] : []
        const signed: Delta[] = signature ? [{ type: 'signature_delta', signature }] : []
        return send({ type: 'thinking' }, [...thought, ...signed])
      }
      case 'tool_use':
      case 'server_tool_use': {
        const { type, name, input } = block
        if (isRecord(input) && Object.keys(input).length > 0) inputs.set(index, JSON.stringify(input))
        return send({ type, name, id: type === 'tool_use' ? unique(block.id, ids) : block.id })
      }
      default:
        return send(block)
    }
  }

  return (event) => {
    switch (event.type) {
      case 'content_block_start':
        return started(event.index, event.content_block)
      case 'content_block_delta':
        if (event.delta.type === 'input_json_delta' && event.delta.partial_json !== '')
          inputs.delete(event.index)
        return next(event)
      case 'content_block_stop': {
        const { index } = event
        const partial_json = inputs.get(index)
        inputs.delete(index)
        if (partial_json !== undefined) {
          next({ type: 'content_block_delta', index, delta: { type: 'input_json_delta', partial_json } })
        }
        return next(event)
      }
      default:
        return next(event)
    }
  }
}

function unique(id: string, ids: Set<string>): string {
  let free = id
  for (let n = 2; free === '' || ids.has(free); n++) free = `${id || 'call'}_${n}`
  ids.add(free)
  return free
}
