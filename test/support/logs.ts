/** A logger that keeps its lines. */
import type { Fields, Logger } from '../../core/ports.ts'

export interface KeptLogs extends Logger {
  lines: { level: string; event: string; fields: Fields }[]
}

export function keptLogs(): KeptLogs {
  const lines: KeptLogs['lines'] = []
  const at =
    (level: string) =>
    (event: string, fields: Fields = {}) =>
      void lines.push({ level, event, fields })
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
