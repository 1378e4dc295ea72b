/** Writes login codes to the log, for development and until a sender is configured. */
import type { CodeSender, Logger } from '../../../core/ports.ts'

export function logCodes(logger: Logger): CodeSender {
  return {
    async send({ to, code }) {
      logger.warn('code.no_sender', { to, code })
    },
  }
}
