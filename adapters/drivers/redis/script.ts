/** Lua scripts by their hash, so that their text crosses the wire once and not with every call. */
import { createHash } from 'node:crypto'
import type { RedisClient } from './connection.ts'

export interface Script {
  text: string
  /** As Redis names it. */
  sha1: string
}

export function script(text: string): Script {
  return { text, sha1: createHash('sha1').update(text).digest('hex') }
}

/** Runs a script. All its keys are in `keys` and, on a cluster, in one slot. */
export async function runScript(
  redis: RedisClient,
  { text, sha1 }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await redis.evalsha(sha1, keys.length, ...keys, ...args)
  } catch (cause) {
    // A server that was started anew knows none; nothing of the script has run.
    if (!(cause instanceof Error && cause.message.startsWith('NOSCRIPT'))) throw cause
    return redis.eval(text, keys.length, ...keys, ...args)
  }
}
