/** The sender of login codes that the configuration names: webhook, SMTP or the log. */
import type { Config } from '../../config/schema.ts'
import type { CodeSender, Logger } from '../../core/ports.ts'
import { logCodes } from '../drivers/codes/log.ts'
import { smtpCodes } from '../drivers/codes/smtp.ts'
import { webhookCodes } from '../drivers/codes/webhook.ts'

export function codesFrom({ auth }: Config, logger: Logger): CodeSender {
  if (auth.send_code_url) return webhookCodes(auth.send_code_url)
  return auth.smtp.host ? smtpCodes(auth.smtp) : logCodes(logger)
}
