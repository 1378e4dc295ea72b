/** Token counts of the simulated Claude, with a prompt cache for each credential. */
import { createHash } from 'node:crypto'
import type { Asked } from './asked.ts'

/** An average that is good enough for a simulation. */
export const CHARACTERS_PER_TOKEN = 4
/** Tokens after the last breakpoint, which are never cached. */
const UNCACHED_TOKENS = 12
const MOST_PREFIXES = 1000

export interface Usage {
  input_tokens: number
  cache_creation_input_tokens: number
  cache_read_input_tokens: number
  cache_creation: { ephemeral_5m_input_tokens: number; ephemeral_1h_input_tokens: number }
  output_tokens: number
  service_tier: 'standard'
}

export interface UsageMeter {
  count(request: { asked: Asked; body: Buffer; credential: string }): Usage
}

export function createUsageMeter(): UsageMeter {
  const cachedTokens = new Map<string, number>()
  return {
    count({ asked, body, credential }) {
      const total = tokensOf(body.length)
      if (!body.includes('"cache_control"')) return usage(total, 0, 0, 0)
      const prefix = JSON.stringify([credential, asked.model, asked.system, asked.tools, asked.messages[0]])
      const key = createHash('sha256').update(prefix).digest('base64')
      const cacheable = Math.max(0, total - UNCACHED_TOKENS)
      const read = Math.min(cachedTokens.get(key) ?? 0, cacheable)
      const [oldest] = cachedTokens.keys()
      if (cachedTokens.size >= MOST_PREFIXES && oldest !== undefined) cachedTokens.delete(oldest)
      cachedTokens.set(key, cacheable)
      const written = cacheable - read
      const hourly = /"ttl"\s?:\s?"1h"/.test(body.toString()) ? written : 0
      return usage(total - cacheable, read, written - hourly, hourly)
    },
  }
}

function usage(input: number, read: number, written5m: number, written1h: number): Usage {
  return {
    input_tokens: input,
    cache_creation_input_tokens: written5m + written1h,
    cache_read_input_tokens: read,
    cache_creation: { ephemeral_5m_input_tokens: written5m, ephemeral_1h_input_tokens: written1h },
    output_tokens: 1,
    service_tier: 'standard',
  }
}

export function tokensOf(characters: number): number {
  return Math.max(1, Math.ceil(characters / CHARACTERS_PER_TOKEN))
}
