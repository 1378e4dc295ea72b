/** What a server asks the thread of its database file, and what it hears. */
import { DatabaseUnavailable } from '../../../core/errors.ts'
import type { Fields } from '../../../core/ports.ts'
import type { Answer, Statement } from './connection.ts'

/** What to open. `file`: a descriptor of the file at `path`. `background`: the integrity is checked elsewhere. */
export interface Opening {
  path: string
  file: number
  pragmas: string
  background: boolean
}

/** `close` is answered when the file may be closed by others as well; see Guard. */
export type Question =
  | { open: Opening }
  | { execute: Statement }
  | { batch: readonly Statement[] }
  | { close: true }
export type Reply = Answer[]
/** `problem`: why the file must not be touched any more. */
export type Notice = { level: 'info' | 'error'; event: string; fields: Fields } | { problem: string }

/** The code of a fault that means DatabaseUnavailable. */
export const UNAVAILABLE = 'UNAVAILABLE'

/** What statements reject with from the moment that somebody replaced the file. */
export function unusable(path: string, problem: string): DatabaseUnavailable {
  return new DatabaseUnavailable(`Database ${path} cannot be used: ${problem}. Restart the gateway.`)
}
