import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Resolves when the closed connections of this process are closed indeed. The native driver keeps a connection open until its
 * statements are collected, with its locks and its write-ahead log.
 */
export async function connectionsClosed(): Promise<void> {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  // Node runs the finalizers in a later turn.
  await turn()
  await turn()
}
