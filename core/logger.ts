/** Log lines: one JSON object or one line of text per event. Callers never pass bodies, prompts or secrets. */
import type { Clock, Fields, Logger } from './ports.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** A logger that hands each line to `print`. JSON escapes the values, so that none can forge a second line. */
export function createLogger(options: {
  level: LogLevel
  format: 'json' | 'text'
  clock: Clock
  print: (line: string) => void
}): Logger {
  const { clock, print, format } = options
  const lowest = LEVELS.indexOf(options.level)
  const timeOf = createTimeText()
  const at = (level: LogLevel) => {
    if (LEVELS.indexOf(level) < lowest) return () => {}
    return (event: string, fields: Fields = {}) => {
      const time = timeOf(clock.now())
      if (format === 'json') {
        // Fields are serialized separately, because copying them into one object first would double the cost.
        const opening = `{"time":"${time}","level":"${level}","event":${JSON.stringify(event)}`
        const rest = JSON.stringify(fields).slice(1)
        return print(rest === '}' ? `${opening}}` : `${opening},${rest}`)
      }
      const pairs = Object.entries(fields).flatMap(([name, value]) =>
        value === undefined ? [] : ` ${name}=${typeof value === 'string' ? JSON.stringify(value) : value}`,
      )
      print(`${time} ${level.toUpperCase()} ${event}${pairs.join('')}`)
    }
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Times as ISO 8601 has them. Many lines are of the same millisecond. */
function createTimeText(): (at: number) => string {
  let last = Number.NaN
  let text = ''
  return (at) => {
    if (at !== last) text = new Date(at).toISOString()
    last = at
    return text
  }
}
