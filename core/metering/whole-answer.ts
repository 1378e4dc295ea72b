/** Reads what a call used from an answer that is one JSON object: only its top level counts. */

import { isRecord } from '../json/is-record.ts'
import { parsedJson } from '../json/parse.ts'
import { createScan, wantedKeys } from '../json/scan.ts'
import { errorTypeOf, fallbackOf } from './anthropic-stream.ts'
import type { RawUsage } from './billed-usage.ts'
import { type CountedKeys, countedKeys, createCharacterCounter } from './characters.ts'
import { billedUsageOf, CHARACTERS_PER_TOKEN, type UsageMeter } from './meter.ts'
import { promptLossesOf } from './prompt-losses.ts'

/** How an interface writes its whole answers. */
export interface WholeAnswers {
  /** Where the text of the answer stands. */
  written: CountedKeys
  /** The top-level `usage` in Claude's words. */
  usageOf(usage: Record<string, unknown>): RawUsage
}

const CLAUDE_ANSWERS: WholeAnswers = {
  written: countedKeys(['text', 'thinking'], ['input']),
  usageOf: (usage) => usage,
}

/** Top-level members of a message or error envelope, with the most bytes to keep of each. */
const MOST = {
  usage: 64 * 1024,
  stop_reason: 64,
  type: 64,
  error: 64 * 1024,
  diagnostics: 1024,
  input_transformations: 64 * 1024,
  // Enough to see whether nothing was said.
  content: 1024,
}
const WANTED = wantedKeys(MOST)
/** Where another model may have answered, which a block says. */
const WANTED_OF_FALLBACKS = wantedKeys({ ...MOST, content: 4 * 1024 * 1024 })

/** Whether the answer says nothing: it has no block, or only where one model gave way to the next. */
function saysNothing(content: unknown): boolean {
  return Array.isArray(content) && content.every((block) => isRecord(block) && block.type === 'fallback')
}

/** The model that took over last, if one did. */
function fallbackAmong(content: unknown): string | undefined {
  const blocks: unknown[] = Array.isArray(content) ? content : []
  return blocks.map(fallbackOf).findLast((model) => model !== undefined)
}

/** `fallsBack`: the request names models that may answer instead. */
export function createWholeMeter(
  { written, usageOf }: WholeAnswers = CLAUDE_ANSWERS,
  fallsBack = false,
): UsageMeter {
  const found = new Map<string, string | undefined>()
  const scan = createScan(fallsBack ? WANTED_OF_FALLBACKS : WANTED, ({ key, text }) => found.set(key, text))
  const characters = createCharacterCounter(written)
  const memberOf = (key: string) => parsedJson(found.get(key))
  function error(): string | undefined {
    // Nearly every answer has no error, which shows before anything is parsed.
    if (!found.has('error') && found.get('type')?.length !== '"error"'.length) return undefined
    const error = memberOf('error')
    return isRecord(error) || memberOf('type') === 'error' ? errorTypeOf({ error }) : undefined
  }

  return {
    write(chunk) {
      scan.write(chunk)
      // A line end stands between two tokens, or the text is no JSON.
      for (let i = 0; i < chunk.length; i++) i = characters.read(chunk, i)
    },
    end() {},
    state: () => (scan.state() === 'complete' ? 'complete' : 'open'),
    error,
    usage() {
      const usage = memberOf('usage')
      const known = isRecord(usage)
      const metered = billedUsageOf(known ? usageOf(usage) : {}, {
        final: known && scan.state() === 'complete',
        estimatedOutput: known ? 0 : Math.ceil(characters.count() / CHARACTERS_PER_TOKEN),
        refusedUnserved: memberOf('stop_reason') === 'refusal' && saysNothing(memberOf('content')),
        servedBy: fallsBack ? fallbackAmong(memberOf('content')) : undefined,
        failed: error() !== undefined,
      })
      const losses = promptLossesOf(memberOf('diagnostics'), memberOf('input_transformations'))
      return { ...metered, promptLosses: losses }
    },
  }
}
