/** Writes log lines to standard output in batches, because a system call per line would cost more than making the line. */
import { writeSync } from 'node:fs'

const GATHER_MS = 20

let waiting = ''

export function print(line: string): void {
  if (!waiting) setTimeout(flushPrint, GATHER_MS).unref()
  waiting += `${line}\n`
}

/** Writes the gathered lines now; call it before the process ends. */
export function flushPrint(): void {
  const text = waiting
  waiting = ''
  if (!text) return
  try {
    writeSync(1, text)
  } catch (cause) {
    // If the reader is slow (EAGAIN), the stream buffers the text; if it is gone (EPIPE), the text is dropped.
    if (cause instanceof Error && 'code' in cause && cause.code === 'EAGAIN') process.stdout.write(text)
  }
}
