/** Runs Lua scripts by their hash (https://redis.io/docs/latest/commands/evalsha/), so that their text is sent only once. */
import { createHash } from 'node:crypto'
import type { RedisClient } from './connection.ts'

export interface Script {
  text: string
  /** SHA-1 of the text in hex, by which Redis finds it. */
  sha1: string
}

export function script(text: string): Script {
  return { text, sha1: createHash('sha1').update(text).digest('hex') }
}

/** Runs a script. `keys` has all its keys; on a cluster they must be in one slot. */
export async function runScript(
  redis: RedisClient,
  { text, sha1 }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await redis.evalsha(sha1, keys.length, ...keys, ...args)
  } catch (cause) {
    // A restarted server has no scripts. Nothing of this one has run.
    if (!(cause instanceof Error && cause.message.startsWith('NOSCRIPT'))) throw cause
    return redis.eval(text, keys.length, ...keys, ...args)
  }
}
