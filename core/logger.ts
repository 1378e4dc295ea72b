/** Log lines: one JSON object or one line of text per event. Never given bodies, prompts or secrets. */
import type { Clock, Fields, Logger } from './ports.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** A logger over a function that prints one line. Values are escaped by JSON, so nothing can forge a second line. */
export function createLogger(options: {
  level: LogLevel
  format: 'json' | 'text'
  clock: Clock
  print: (line: string) => void
}): Logger {
  const { clock, print, format } = options
  const lowest = LEVELS.indexOf(options.level)
  const at = (level: LogLevel) => {
    if (LEVELS.indexOf(level) < lowest) return () => {}
    return (event: string, fields: Fields = {}) => {
      const time = new Date(clock.now()).toISOString()
      if (format === 'json') {
        // The fields are written from where they are: to put them into one object first costs as much again.
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
