/** Sends login codes by SMTP. */
import { createTransport } from 'nodemailer'
import type { CodeSender } from '../../../core/ports.ts'

const TIMEOUT_MS = 5_000

export interface SmtpServer {
  host: string
  port: number
  tls: boolean
  user: string
  password: string
  from: string
}

export function smtpCodes({ host, port, tls, user, password, from }: SmtpServer): CodeSender {
  const transport = createTransport({
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
  return {
    async send({ to, subject, text, html }) {
      const { promise: late, reject } = Promise.withResolvers<never>()
      const timer = setTimeout(() => reject(new Error('the mail server took over 5 s')), TIMEOUT_MS)
      try {
        // As an object, because nodemailer could parse a string as several addresses.
        await Promise.race([
          late,
          transport.sendMail({ from, to: { name: '', address: to }, subject, text, html }),
        ])
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
