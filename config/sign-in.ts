/** Settings of how people sign in. */
import * as z from 'zod'
import { secret, signingSecrets } from './secrets.ts'
import { section } from './section.ts'
import { duration, itcode, optionalUrl } from './values.ts'

const text = z.string()

const smtp = section({
  host: text.default(''),
  port: z.int().min(1).max(65_535).default(587),
  /** true: TLS from the first byte (port 465). false: STARTTLS if the server offers it. */
  tls: z.boolean().default(false),
  user: text.default(''),
  password: secret.default(''),
  from: text.default(''),
})

export const auth = section({
  session_secret: signingSecrets,
  session_max_age: z.int().min(60).max(31_536_000).default(86_400),
  /** A session ends after this long without a request. */
  session_idle: duration.default(43_200_000),
  code_expiry: duration.default(300_000),
  /** 8 letters of 20 (20^8 codes), or 6 digits (10^6 codes), which are 25,600 times easier to guess. */
  code_style: z.enum(['letters', 'digits']).default('letters'),
  admin_itcode: itcode.default(''),
  send_code_url: optionalUrl.default(''),
  smtp,
  email_domain: text.default(''),
  allowed_domains: z.array(z.string().min(1)).default([]),
  auto_register: z.boolean().default(true),
  invite_code: secret.default(''),
}).superRefine(({ send_code_url, smtp: { host, from } }, context) => {
  if (host && send_code_url) {
    const message = 'either a mail server or send_code_url is expected, not both'
    context.addIssue({ code: 'custom', path: ['smtp', 'host'], message })
  }
  if (host && !from) {
    context.addIssue({ code: 'custom', path: ['smtp', 'from'], message: "the sender's address is expected" })
  }
})
