/** Log lines to standard output, gathered for a moment and written together: a system call per line would cost more than it. */
import { writeSync } from 'node:fs'

const GATHER_MS = 20

let waiting = ''

export function print(line: string): void {
  if (!waiting) setTimeout(flushPrint, GATHER_MS).unref()
  waiting += `${line}\n`
}

/** Writes what is gathered at once: before the process ends. */
export function flushPrint(): void {
  const text = waiting
  waiting = ''
  if (!text) return
  try {
    writeSync(1, text)
  } catch (cause) {
    // A reader that is slow (EAGAIN) gets it through the stream's own buffer; one that is gone (EPIPE) gets nothing.
    if (cause instanceof Error && 'code' in cause && cause.code === 'EAGAIN') process.stdout.write(text)
  }
}
