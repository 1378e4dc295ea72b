/** How far long work is: one line that changes on a terminal, a line now and then in a log. Always on standard error. */

const TERMINAL_MS = 100
const LOG_MS = 10_000

export interface Progress {
  /** `total` is undefined if nobody knows it. */
  at(done: number, total?: number): void
  /** Ends the line on a terminal. */
  end(): void
}

/** `what` names the work, such as "Copying"; `unit` what is counted, such as "MB". */
export function createProgress(
  what: string,
  unit: string,
  out: Pick<NodeJS.WriteStream, 'isTTY' | 'write'> = process.stderr,
  elapsed: () => number = () => performance.now(),
): Progress {
  const every = out.isTTY ? TERMINAL_MS : LOG_MS
  let last = elapsed()
  let shown = ''
  return {
    at(done, total) {
      if (elapsed() - last < every) return
      last = elapsed()
      const of = total
        ? ` of ${total.toLocaleString('en')} ${unit} (${Math.floor((done / total) * 100)} %)`
        : ` ${unit}`
      const line = `${what}: ${done.toLocaleString('en')}${of}`
      out.write(out.isTTY ? `\r${line.padEnd(shown.length)}` : `${line}\n`)
      shown = line
    },
    end() {
      if (out.isTTY && shown) out.write(`\r${' '.repeat(shown.length)}\r`)
    },
  }
}
