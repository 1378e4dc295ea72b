/** Builds the output items of a response and the events that report them. */
import type { ClientTool, ClientTools } from '../client-tools.ts'
import { callPrefix, createCallItem } from './call-item.ts'
import { createCompactionItem } from './compaction-item.ts'
import type { Delta, StartedBlock } from './events.ts'
import type { Emit, Item, Place, TextItem } from './item.ts'
import { createMessageItem } from './message-item.ts'
import { createReasoningItem } from './reasoning-item.ts'
import { createSearchItem } from './search-item.ts'

export interface ItemOptions {
  /** Whether reasoning items contain Claude's thinking, so that the next request can send it back. */
  packsThinking: boolean
  /** Whether searches tell the pages that they found. */
  tellsSources: boolean
  tools: ClientTools
  /** The text of the answer is a summary, and nothing else of it is told. */
  compacts: boolean
}

interface Placed<T extends Item = Item> {
  id: string
  item: T
  done: boolean
  /** The answer broke off within it, because the model may write no more. */
  cut: boolean
}
interface Opened<T extends Item> {
  one: Placed<T>
  events: string
}

/** The items in their order. `emit` numbers events, so they are created in the order in which they are sent. */
function createPlaces(emit: Emit) {
  const placed: Placed[] = []
  /** A call whose block ended. Only what comes next tells whether it was cut off. */
  let called: Placed | undefined
  function close(one: Placed, cut = false): string {
    if (one.done) return ''
    const ended = one.item.end()
    Object.assign(one, { done: true, cut })
    const fields = { output_index: placed.indexOf(one), item: viewOf(one) }
    return ended + emit('response.output_item.done', fields)
  }
  return {
    close,
    views: (broken: boolean) => placed.map((one) => viewOf(one, broken)),
    open<T extends Item>(prefix: string, make: (place: Place) => T): Opened<T> {
      const output_index = placed.length
      const id = `${prefix}_${crypto.randomUUID().replaceAll('-', '')}_${output_index}`
      const one = { id, item: make({ item_id: id, output_index }), done: false, cut: false }
      placed.push(one)
      return { one, events: emit('response.output_item.added', { output_index, item: viewOf(one) }) }
    },
    /** The block of the item ended. */
    ended(one: Placed): string {
      if (!one.item.isCall) return close(one)
      called = one
      return ''
    },
    closeCall(cut = false): string {
      const last = called
      called = undefined
      return last ? close(last, cut) : ''
    },
  }
}

function openText(
  { compacts }: ItemOptions,
  { emit, open }: Pick<Places, 'open'> & { emit: Emit },
): Opened<TextItem> {
  if (compacts) return open('cmp', createCompactionItem)
  return open('msg', (place) => createMessageItem(emit, place))
}

/** Opens the item of a block that is no text; undefined for blocks that have none. */
function openItem(
  block: StartedBlock,
  { emit, open, tools, packsThinking, tellsSources }: ItemOptions & Pick<Places, 'open'> & { emit: Emit },
): Opened<Item> | undefined {
  switch (block.type) {
    case 'tool_use': {
      const tool: ClientTool = tools.get(block.name) ?? { kind: 'function', name: block.name }
      return open(callPrefix(tool), (place) => createCallItem(tool, block.id, emit, place))
    }
    case 'thinking':
      return open('rs', (place) => createReasoningItem(emit, place, { packsThinking }))
    case 'redacted_thinking': {
      const redacted = block.data
      return open('rs', (place) => createReasoningItem(emit, place, { packsThinking, redacted }))
    }
    case 'server_tool_use':
      if (block.name !== 'web_search') return undefined
      return open('ws', (place) => createSearchItem(emit, place, tellsSources))
    default:
      return undefined
  }
}

type Places = ReturnType<typeof createPlaces>

/** Each method except `output` returns the text of the events that it causes; '' if none. */
export function createItems(emit: Emit, options: ItemOptions) {
  const { views, open, close, ended, closeCall } = createPlaces(emit)
  /** Index of a block → its item. Consecutive text blocks share one message. */
  const byBlock = new Map<number, Placed>()
  /** Id of a search at Claude → its item, which waits for results. */
  const searches = new Map<string, Placed>()
  let message: Placed<TextItem> | undefined
  function closeLast(cut = false): string {
    const last = message
    message = undefined
    return closeCall(cut) + (last ? close(last, cut) : '')
  }
  /** The last item if it is an open message, else a new message. */
  function inMessage(): Opened<TextItem> {
    if (message) return { one: message, events: '' }
    const opened = openText(options, { emit, open })
    message = opened.one
    return opened
  }
  function start(index: number, block: StartedBlock): string {
    if (block.type === 'text') {
      const before = closeCall()
      const { one, events } = inMessage()
      byBlock.set(index, one)
      return before + events + one.item.text()
    }
    if (options.compacts) return ''
    if (block.type === 'web_search_tool_result') {
      const search = searches.get(block.tool_use_id)
      search?.item.found?.(block.content)
      return search ? close(search) : ''
    }
    const before = closeLast()
    const opened = openItem(block, { ...options, emit, open })
    if (!opened) return before
    byBlock.set(index, opened.one)
    if (block.type === 'server_tool_use') searches.set(block.id, opened.one)
    return before + opened.events
  }
  /** A message may go on with another block, and a search waits for its results. */
  const isOpen = (one: Placed) => one === message || [...searches.values()].includes(one)
  return {
    /** `broken`: nothing more will come of those that are not done. */
    output: views,
    start,
    delta: (index: number, delta: Delta) => byBlock.get(index)?.item.delta(delta) ?? '',
    stop(index: number): string {
      const one = byBlock.get(index)
      const events = one?.item.blockEnds?.() ?? ''
      return one && !isOpen(one) ? events + ended(one) : events
    },
    /** Ends the answer. `refusal`: why Claude declined to go on. `cut`: the model may write no more. */
    finish(refusal: string | undefined, cut: boolean): string {
      const waiting = closeCall(cut) + [...searches.values()].map((one) => close(one)).join('')
      if (refusal === undefined) return waiting + closeLast(cut)
      const { one, events } = inMessage()
      return waiting + events + one.item.refuse(refusal) + closeLast(cut)
    },
  }
}

/**
 * The item as a response shows it: without content until it is done, or the answer is `broken` off. What has no status stays
 * without, because nothing would say that the rest is missing.
 */
function viewOf({ id, item, done, cut }: Placed, broken = false): object {
  const over = done || (broken && !item.hasNoStatus)
  const { type, ...fields } = item.view(over)
  const status = over ? (item.status?.() ?? (cut || !done ? 'incomplete' : 'completed')) : 'in_progress'
  return { id, type, ...(item.hasNoStatus ? {} : { status }), ...fields }
}
