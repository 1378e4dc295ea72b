/** File descriptors: each call needs one for its client and one for its upstream. */
import { readdirSync, readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { Logger } from '../../core/ports.ts'

const ENOUGH = 4_096
/** Part of the limit that new calls leave to calls under way, to files, and to connections that are told to come again. */
const RESERVE = 1 / 4
const MOST_RESERVED = 512
/** The count is never read more often than this. */
const PAUSE_MS = 20

/** Warns if there are few. Returns whether there are enough for another call; always, where the system does not tell. */
export function watchDescriptors(server: Server, logger: Logger): () => boolean {
  const limit = limitOfProcess()
  if (limit === undefined) return () => true
  if (limit < ENOUGH)
    logger.warn('server.few_descriptors', { limit, hint: 'ulimit -n, LimitNOFILE=: 4096 or more' })
  /** How many are left at least, because every connection and every call counts as one that stays. */
  let left = 0
  let readAgainBelow = Number.POSITIVE_INFINITY
  let reserved = 0
  let readAt = Number.NEGATIVE_INFINITY
  const take = () => {
    left -= 1
  }
  server.on('connection', take)
  return () => {
    take()
    if (left < readAgainBelow && performance.now() - readAt > PAUSE_MS) {
      readAt = performance.now()
      const most = limitOfProcess() ?? limit
      reserved = Math.min(most * RESERVE, MOST_RESERVED)
      left = most - usedByProcess()
      readAgainBelow = Math.max(left / 2, reserved)
    }
    return left > reserved
  }
}

function limitOfProcess(): number | undefined {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return found === undefined ? undefined : Number(found)
  } catch {
    return undefined
  }
}

function usedByProcess(): number {
  return readdirSync('/proc/self/fd').length
}
