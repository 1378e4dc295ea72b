/** The way of mail that the configuration names: webhook, SMTP or the log. */
import type { Config } from '../../config/schema.ts'
import type { Logger, Mailer } from '../../core/ports.ts'
import { logMail } from '../drivers/mail/log.ts'
import { smtpMail } from '../drivers/mail/smtp.ts'
import { webhookMail } from '../drivers/mail/webhook.ts'

export function mailerFrom({ auth }: Config, logger: Logger): Mailer {
  if (auth.send_code_url) return webhookMail(auth.send_code_url)
  return auth.smtp.host ? smtpMail(auth.smtp) : logMail(logger)
}
