/** The mail with a login code, in Chinese and English because the reader's language is not known yet. */
import type { Mail } from '../ports.ts'
import { MINUTE_MS } from '../units.ts'

/**
 * Mail programs look for the code in the HTML. So it is one run of letters or of digits, and no colour, size or link
 * contains figures that could be mistaken for it.
 */
export function codeMail(mail: {
  to: string
  code: string
  validMs: number
  itcode: string
}): Mail & { code: string } {
  const { to, code, itcode } = mail
  const minutes = Math.max(1, Math.round(mail.validMs / MINUTE_MS))
  const zh = `您正在登录 Claude Gateway（账号 ${itcode}）。验证码 ${minutes} 分钟内有效，只能使用一次。`
  const en = `You are signing in to Claude Gateway as ${itcode}. The code is good for ${minutes} minutes and for one login.`
  const zhCare = '如果不是您本人操作，请忽略此邮件；不要把验证码告诉任何人。'
  const enCare = 'If this was not you, ignore this mail. Never tell the code to anyone.'
  const paragraphs = [`<p>${escaped(zh)}</p>`, `<p>${escaped(en)}</p>`]
  const care = `<p><small>${zhCare}<br>${enCare}</small></p>`
  return {
    to,
    code,
    subject: 'Claude Gateway 登录验证码 · Your sign-in code',
    text: [zh, en, code, zhCare, enCare].join('\n\n'),
    html: `<!doctype html><html><body>${paragraphs.join('')}<h1>${code}</h1>${care}</body></html>`,
  }
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
}
