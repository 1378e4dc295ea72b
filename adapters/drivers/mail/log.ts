/** Writes login codes to the log, for development and until a sender is configured. */
import type { Logger, Mailer } from '../../../core/ports.ts'

export function logMail(logger: Logger): Mailer {
  return {
    delivers: false,
    async send({ to, code }) {
      if (code !== undefined) logger.warn('code.no_sender', { to, code })
    },
  }
}
