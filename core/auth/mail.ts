/** Mails about accounts, in Chinese and English because the reader's language is not known. */
import type { Mail } from '../ports.ts'
import { MINUTE_MS } from '../units.ts'

interface Given {
  to: string
  code: string
  validMs: number
  itcode: string
}

/** With a code that signs in. */
export function codeMail(given: Given): Mail & { code: string } {
  const { code, itcode } = given
  const minutes = minutesOf(given)
  const zh = `您正在登录 Claude Gateway（账号 ${itcode}）。验证码 ${minutes} 分钟内有效，只能使用一次。`
  const en = `You are signing in to Claude Gateway as ${itcode}. The code is good for ${minutes} minutes and for one login.`
  return mailOf(given.to, 'Claude Gateway 登录验证码 · Your sign-in code', { zh, en, code })
}

/** With a code that shows that an address is the reader's, to which they want notices. */
export function addressMail(given: Given): Mail & { code: string } {
  const { code, itcode } = given
  const minutes = minutesOf(given)
  const zh = `Claude Gateway 账号 ${itcode} 希望将通知发送到此邮箱。验证码 ${minutes} 分钟内有效，只能使用一次。`
  const en = `The Claude Gateway account ${itcode} wants its notices sent to this address. The code is good for ${minutes} minutes and for one use.`
  return mailOf(given.to, 'Claude Gateway 邮箱验证码 · Confirm your address', { zh, en, code })
}

/** To the address that notices went to before. */
export function movedMail({ to, itcode, email }: { to: string; itcode: string; email: string }): Mail {
  const zh = `Claude Gateway 账号 ${itcode} 的通知今后将发送到 ${email}。登录不受影响。`
  const en = `Notices to the Claude Gateway account ${itcode} now go to ${email}. Signing in stays as it is.`
  const zhCare = '如果不是您本人操作，请登录后在“我的账号”中改回，并告知管理员。'
  const enCare = 'If this was not you, sign in, change it back under My account, and tell an administrator.'
  const subject = 'Claude Gateway 通知邮箱已更改 · Your notices go to another address'
  return layout(to, { subject, paragraphs: [zh, en], care: [zhCare, enCare] })
}

function minutesOf({ validMs }: Given): number {
  return Math.max(1, Math.round(validMs / MINUTE_MS))
}

function mailOf(
  to: string,
  subject: string,
  { zh, en, code }: { zh: string; en: string; code: string },
): Mail & { code: string } {
  const care = [
    '如果不是您本人操作，请忽略此邮件；不要把验证码告诉任何人。',
    'If this was not you, ignore this mail. Never tell the code to anyone.',
  ]
  return { ...layout(to, { subject, paragraphs: [zh, en], code, care }), code }
}

/**
 * Mail programs look for the code in the HTML. So it is one run of letters or of digits, and no colour, size or link
 * contains figures that could be mistaken for it.
 */
function layout(
  to: string,
  parts: { subject: string; paragraphs: readonly string[]; code?: string; care: readonly string[] },
): Mail {
  const { subject, paragraphs, code, care } = parts
  const shown = paragraphs.map((text) => `<p>${escaped(text)}</p>`).join('')
  const large = code === undefined ? '' : `<h1>${code}</h1>`
  const small = `<p><small>${care.join('<br>')}</small></p>`
  return {
    to,
    subject,
    text: [...paragraphs, ...(code === undefined ? [] : [code]), ...care].join('\n\n'),
    html: `<!doctype html><html><body>${shown}${large}${small}</body></html>`,
  }
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
}
