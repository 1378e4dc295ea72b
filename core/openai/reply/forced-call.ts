/**
 * A model that refuses forced tools is asked for the tool's input as structured output instead; its text is then the input
 * of a call of that tool.
 */
import type { ClaudeEvent } from './events.ts'

/** Passes events on with the text of the answer as a call of the tool `name`. */
export function createForcedCall(
  name: string,
  next: (event: ClaudeEvent) => void,
): (event: ClaudeEvent) => void {
  const texts = new Set<number>()
  /** The block that became the call; later texts belong to the same JSON. */
  let call: number | undefined
  let id = ''

  const closeCall = () => {
    if (call !== undefined) next({ type: 'content_block_stop', index: call })
    call = undefined
  }
  return (event) => {
    switch (event.type) {
      case 'message_start':
        id = `toolu_${event.message.id.replace(/[^A-Za-z0-9_-]/g, '')}`
        return next(event)
      case 'content_block_start':
        if (event.content_block.type !== 'text') return next(event)
        texts.add(event.index)
        if (call !== undefined) return
        call = event.index
        return next({ ...event, content_block: { type: 'tool_use', id, name } })
      case 'content_block_delta':
        if (!texts.has(event.index) || call === undefined) return next(event)
        if (event.delta.type !== 'text_delta') return
        return next({
          ...event,
          index: call,
          delta: { type: 'input_json_delta', partial_json: event.delta.text },
        })
      case 'content_block_stop':
        return texts.has(event.index) ? undefined : next(event)
      case 'message_delta': {
        const called = call !== undefined && event.delta.stop_reason === 'end_turn'
        closeCall()
        return next(called ? { ...event, delta: { ...event.delta, stop_reason: 'tool_use' } } : event)
      }
      default:
        return next(event)
    }
  }
}
