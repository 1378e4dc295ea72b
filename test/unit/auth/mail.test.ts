import { expect, test } from 'vitest'
import { keyedHash, sameSecret } from '../../../core/auth/keyed-hash.ts'
import { codeMail } from '../../../core/auth/mail.ts'

const MAIL = { to: 'ann@corp.test', code: 'BCDFGHJK', validMs: 300_000, itcode: 'ann' }

test('the mail with a code says for whom it is, how long it is good, and to keep it, in Chinese and English', () => {
  expect(codeMail(MAIL)).toEqual({
    to: 'ann@corp.test',
    code: 'BCDFGHJK',
    subject: 'Claude Gateway 登录验证码 · Your sign-in code',
    text: [
      '您正在登录 Claude Gateway（账号 ann）。验证码 5 分钟内有效，只能使用一次。',
      'You are signing in to Claude Gateway as ann. The code is good for 5 minutes and for one login.',
      'BCDFGHJK',
      '如果不是您本人操作，请忽略此邮件；不要把验证码告诉任何人。',
      'If this was not you, ignore this mail. Never tell the code to anyone.',
    ].join('\n\n'),
    html: [
      '<!doctype html><html><body>',
      '<p>您正在登录 Claude Gateway（账号 ann）。验证码 5 分钟内有效，只能使用一次。</p>',
      '<p>You are signing in to Claude Gateway as ann. The code is good for 5 minutes and for one login.</p>',
      '<h1>BCDFGHJK</h1>',
      '<p><small>如果不是您本人操作，请忽略此邮件；不要把验证码告诉任何人。<br>',
      'If this was not you, ignore this mail. Never tell the code to anyone.</small></p>',
      '</body></html>',
    ].join(''),
  })
})

test('a name that looks like HTML is text in it, and a code of seconds is good for a minute', () => {
  const { html, text } = codeMail({ ...MAIL, itcode: `<b>&"'`, validMs: 1_000 })
  expect(html).toContain('as &#60;b&#62;&#38;&#34;&#39;. The code is good for 1 minutes')
  expect(text).toContain(`as <b>&"'.`)
})

test('secrets are compared by HMAC-SHA-256 (RFC 4231, test case 2)', async () => {
  const text = 'what do ya want for nothing?'
  const mac = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
  expect(await keyedHash('Jefe', text)).toBe(mac)
  expect([await sameSecret('k', 'a', 'a'), await sameSecret('k', 'a', 'b')]).toEqual([true, false])
})
