/** Login codes in the log: for development, and for a first look before a sender is configured. */
import type { CodeSender, Logger } from '../../../core/ports.ts'

export function logCodes(logger: Logger): CodeSender {
  return {
    async send({ to, code }) {
      logger.warn('code.no_sender', { to, code })
    },
  }
}
