/** Sends mail by SMTP. */
import type { Mailer } from '../../../core/ports.ts'
import { loadedOnce } from '../../shared/loaded.ts'

const TIMEOUT_MS = 5_000

export interface SmtpServer {
  host: string
  port: number
  tls: boolean
  user: string
  password: string
  from: string
}

export function smtpMail({ host, port, tls, user, password, from }: SmtpServer): Mailer {
  /** The mailer is loaded for the first mail, because it takes memory. */
  const connected = loadedOnce(async () => {
    const { createTransport } = await import('nodemailer')
    return createTransport({
      host,
      port,
      secure: tls,
      ...(user ? { auth: { user, pass: password } } : {}),
      connectionTimeout: TIMEOUT_MS,
      greetingTimeout: TIMEOUT_MS,
      socketTimeout: TIMEOUT_MS,
      dnsTimeout: TIMEOUT_MS,
      // The core provides the content, so nodemailer need not read files or URLs.
      disableFileAccess: true,
      disableUrlAccess: true,
    })
  })
  return {
    delivers: true,
    async send({ to, subject, text, html }) {
      const { promise: late, reject } = Promise.withResolvers<never>()
      const timer = setTimeout(() => reject(new Error('the mail server took over 5 s')), TIMEOUT_MS)
      try {
        const transport = await connected()
        // As an object, because nodemailer could parse a string as several addresses.
        const sent = transport.sendMail({ from, to: { name: '', address: to }, subject, text, html })
        await Promise.race([late, sent])
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
