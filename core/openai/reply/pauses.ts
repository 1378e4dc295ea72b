/**
 * A message that Claude pauses (`stop_reason: pause_turn`, long turns with tools that it runs itself) and goes on with when
 * its content so far is sent back: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
 */

import { boundedJson } from '../../json/bounds.ts'
import { isRecord } from '../../json/is-record.ts'
import { mergeUsage, type RawUsage } from '../../metering/billed-usage.ts'
import { JsonText } from '../messages-api.ts'
import type { ClaudeEvent, Delta, MessageEnd } from './events.ts'

type RawBlock = Record<string, unknown>
type OnEvent = (event: ClaudeEvent) => void

export interface PausedContent {
  /** Claude's blocks. */
  blocks: RawBlock[]
  outputTokens: number
}

export interface PausedMessage {
  event: OnEvent
  /** The content so far, if the answer ended with a pause. */
  paused(): PausedContent | undefined
  /** The next answer goes on where this one paused. */
  resume(): void
  /** Nothing goes on: the message ends as it is, with the stop reason pause_turn. */
  end(): void
}

/** Passes the events of a paused message and of what goes on with it to `next`, as those of one message with all usage. */
export function createPausedMessage(next: OnEvent): PausedMessage {
  const blocks = createRawBlocks()
  let isFirst = true
  /** Index of the first block of the present answer. */
  let offset = 0
  let earlier: RawUsage = {}
  let usage: RawUsage = {}
  let pause: MessageEnd | undefined
  let isPaused = false

  function event(event: ClaudeEvent) {
    switch (event.type) {
      case 'message_start':
        usage = mergeUsage({}, event.message.usage ?? {})
        if (isFirst) next(event)
        isFirst = false
        return
      case 'content_block_start':
      case 'content_block_delta':
      case 'content_block_stop': {
        const index = event.index + offset
        // The cast holds because every event is an object of JSON (ClaudeEvent).
        if (event.type === 'content_block_start') blocks.start(index, event.content_block as RawBlock)
        if (event.type === 'content_block_delta') blocks.add(index, event.delta)
        return next({ ...event, index })
      }
      case 'message_delta':
        usage = mergeUsage(usage, event.usage ?? {})
        if (event.delta.stop_reason === 'pause_turn') pause = event.delta
        else next({ ...event, usage: sumOf(earlier, usage) })
        return
      case 'message_stop':
        if (pause) isPaused = true
        else next(event)
        return
      default:
        next(event)
    }
  }

  return {
    event,
    paused() {
      if (!isPaused) return undefined
      return { blocks: blocks.content(), outputTokens: countOf(sumOf(earlier, usage).output_tokens) }
    },
    resume() {
      earlier = sumOf(earlier, usage)
      usage = {}
      offset = blocks.count()
      pause = undefined
      isPaused = false
    },
    end() {
      next({ type: 'message_delta', delta: pause ?? {}, usage: sumOf(earlier, usage) })
      next({ type: 'message_stop' })
    },
  }
}

/** Gathers blocks as Claude takes them back: with everything they came with. */
function createRawBlocks() {
  const blocks = new Map<number, RawBlock>()
  const inputs = new Map<number, string[]>()
  const append = (block: RawBlock, key: string, text: string) => {
    block[key] = `${typeof block[key] === 'string' ? block[key] : ''}${text}`
  }
  return {
    start: (index: number, block: RawBlock) => void blocks.set(index, { ...block }),
    count: () => Math.max(-1, ...blocks.keys()) + 1,
    add(index: number, delta: Delta) {
      const block = blocks.get(index)
      if (!block) return
      if (delta.type === 'text_delta') append(block, 'text', delta.text)
      else if (delta.type === 'thinking_delta') append(block, 'thinking', delta.thinking)
      else if (delta.type === 'signature_delta') append(block, 'signature', delta.signature)
      else if (delta.type === 'input_json_delta') {
        const pieces = inputs.get(index)
        if (pieces) pieces.push(delta.partial_json)
        else inputs.set(index, [delta.partial_json])
      } else if (delta.type === 'citations_delta') {
        block.citations = [...(Array.isArray(block.citations) ? block.citations : []), delta.citation]
      }
    },
    content(): RawBlock[] {
      const whole = [...blocks]
        .toSorted(([a], [b]) => a - b)
        .map(([index, block]) => {
          const json = inputs.get(index)?.join('') ?? ''
          return isRecord(boundedJson(json)) ? { ...block, input: new JsonText(json) } : block
        })
      // Claude writes empty text blocks, but does not take them.
      return whole.filter(
        ({ type, text }) => type !== 'text' || (typeof text === 'string' && text.trim() !== ''),
      )
    },
  }
}

const SUMMED = ['input_tokens', 'output_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens']

/** Usage of two answers together, as far as replies tell it. What each call is billed for is metered apart. */
function sumOf(earlier: RawUsage, usage: RawUsage): RawUsage {
  if (Object.keys(earlier).length === 0) return usage
  const sums = SUMMED.map((name) => [name, countOf(earlier[name]) + countOf(usage[name])])
  const thinking_tokens = thinkingOf(earlier) + thinkingOf(usage)
  return { ...usage, ...Object.fromEntries(sums), output_tokens_details: { thinking_tokens } }
}

function thinkingOf({ output_tokens_details: details }: RawUsage): number {
  return isRecord(details) ? countOf(details.thinking_tokens) : 0
}

function countOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}
