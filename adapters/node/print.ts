/** Log lines to standard output, gathered and written once per turn of the event loop. */
import { writeSync } from 'node:fs'

let waiting = ''

export function print(line: string): void {
  if (!waiting) setImmediate(flushPrint)
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
