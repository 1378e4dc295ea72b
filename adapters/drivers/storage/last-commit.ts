/**
 * Tells whether anything was committed to a database file, by any process, for the price of reading 48 bytes. The head of the
 * index of the write-ahead log is where SQLite itself looks whether what it has read still holds, so that it changes when a
 * commit becomes visible and not later: https://www.sqlite.org/walformat.html#the_wal_index_header
 */
import { closeSync, openSync, readSync } from 'node:fs'
import type { LastCommit } from '../../../core/looking.ts'

/** The first of two equal copies, which is written after the second. */
const HEAD_BYTES = 48

/**
 * For a file to which this process has a connection that stays open. `close` may be called once it has none any more, because
 * closing any descriptor of the index frees the locks of all connections.
 */
export function watchCommits(path: string): { lastCommit: LastCommit; close(): void } {
  const index = openSync(`${path}-shm`, 'r')
  const head = Buffer.alloc(HEAD_BYTES)
  return {
    lastCommit() {
      try {
        return readSync(index, head, 0, HEAD_BYTES, 0) === HEAD_BYTES ? head.latin1Slice() : undefined
      } catch {
        return undefined
      }
    },
    close: () => closeSync(index),
  }
}
