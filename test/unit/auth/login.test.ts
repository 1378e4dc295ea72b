import { afterAll, describe, expect, test } from 'vitest'
import { handOverCode } from '../../../core/auth/codes.ts'
import { login, sendCode } from '../../../core/auth/login.ts'
import { codeMail } from '../../../core/auth/mail.ts'
import { findSession } from '../../../core/auth/sessions.ts'
import { createSignInLimits } from '../../../core/auth/sign-in-limits.ts'
import { users } from '../../../core/db/schema.ts'
import { fakeClock } from '../../support/clock.ts'
import { memoryStore } from '../../support/memory-store.ts'
import { refusalFrom, refusalOf } from '../../support/refusals.ts'
import { signInScene } from '../../support/sign-in.ts'

const MINUTE = 60_000
const INVITED = { invite_code: 'welcome' }
const WRONG = {
  code: 'invalid_code',
  message: 'The code is wrong, used up or too old. Ask for a new one if in doubt.',
}

const store = await memoryStore()
afterAll(() => store.close())
const setUp = async (auth: object = {}, limits: object = {}) => {
  const scene = await signInScene(store, auth, limits)
  const { deps, request, mails, settled } = scene
  const send = async (given: object = {}) => {
    await sendCode(deps, request(given))
    await settled()
    return mails.at(-1)?.code ?? ''
  }
  const enter = (code: string, given: object = {}) => login(deps, { ...request(given), code })
  return { ...scene, send, enter, signIn: async (given: object = {}) => enter(await send(given), given) }
}

describe('a code', () => {
  test('is mailed to an account, and to somebody who may register', async () => {
    const { send, mails, addUser } = await setUp({ email_domain: 'example.com' })
    await addUser('ann')
    await send()
    await send({ itcode: 'New@Example.com' })
    expect(mails.map(({ to }) => to)).toEqual(['ann@example.com', 'new@example.com'])
    expect(mails[0]?.text).toContain('as ann.')
  })

  test('is mailed to nobody else, who cannot tell', async () => {
    const { send, mails } = await setUp({ auto_register: false })
    await send()
    expect(mails).toEqual([])
    // As with an account, the next one has to wait.
    expect((await refusalOf(send())).code).toBe('too_many_attempts')
  })

  test('is mailed after the answer, and is invalid if it cannot be', async () => {
    const { deps, request, mail, logger, settled, mails, clock } = await setUp()
    mail.fails = true
    await sendCode(deps, request())
    for (const ms of [1_000, 5_000]) {
      await expect.poll(() => clock.timers()).toBe(1)
      clock.advance(ms)
    }
    await settled()
    expect(logger.lines).toEqual([
      { level: 'error', event: 'code.not_sent', fields: { id: 'req_1', cause: 'Error: no mail today' } },
    ])
    mail.fails = false
    await sendCode(deps, request())
    await settled()
    expect(mails).toHaveLength(1)
  })

  test('is the same for both names of one mailbox', async () => {
    const { send, enter } = await setUp({ email_domain: 'example.com' })
    const code = await send({ itcode: 'ann' })
    expect((await enter(code, { itcode: 'ann@example.com' })).user.itcode).toBe('ann@example.com')
  })

  test('is refused for a name that is none, or that looks like another', async () => {
    const { send, addUser } = await setUp()
    expect((await refusalOf(send({ itcode: 'a b' }))).code).toBe('invalid_input')
    expect((await refusalOf(send({ itcode: 'сора' }))).code).toBe('invalid_input')
    // Existing accounts keep such names.
    await addUser('сора')
    await send({ itcode: 'сора' })
  })

  test('needs the invite code for a newcomer where there is one, who cannot tell', async () => {
    const { send, mails, clock } = await setUp(INVITED)
    const refused = { code: 'invalid_invite_code', message: 'The invite code is wrong.' }
    expect(await refusalOf(send({ inviteCode: 'wrong' }))).toMatchObject(refused)
    await send()
    expect(mails).toEqual([])
    clock.advance(MINUTE)
    await send({ inviteCode: ' welcome ' })
    expect(mails).toHaveLength(1)
  })

  test('needs no invite code for an account that is there, but no wrong one either', async () => {
    const { send, mails, addUser } = await setUp(INVITED)
    await addUser('ann')
    expect((await refusalOf(send({ inviteCode: 'wrong' }))).code).toBe('invalid_invite_code')
    await send()
    expect(mails).toHaveLength(1)
  })

  test('makes an account only if the invite code came when it was asked for', async () => {
    const { send, enter, addUser, db } = await setUp(INVITED)
    await addUser('ann')
    const code = await send()
    await db.delete(users)
    expect((await refusalOf(enter(code, { inviteCode: 'welcome' }))).code).toBe('invalid_code')
  })

  test('is mailed to the address of an account, and to nobody with rights while it is unconfirmed', async () => {
    const { send, enter, mails, addUser } = await setUp()
    await addUser('ann', { email: 'ann@corp.test', emailUnconfirmed: true })
    await addUser('boss', { email: 'boss@corp.test', emailUnconfirmed: true, role: 'admin' })
    const code = await send()
    await send({ itcode: 'boss' })
    expect(mails.map(({ to }) => to)).toEqual(['ann@corp.test'])
    expect((await enter(code, { itcode: 'Ann@corp.test' })).user.itcode).toBe('ann')
  })

  test('needs no invite code where there is none', async () => {
    const { send, mails } = await setUp()
    await send({ inviteCode: 'whatever' })
    expect(mails).toHaveLength(1)
  })
})

describe('wrong invite codes', () => {
  test('are counted by their address, when a code is asked for and when one is entered', async () => {
    const { send, enter, deps, request } = await setUp(INVITED)
    const code = await send({ inviteCode: 'welcome' })
    for (let i = 0; i < 98; i++) await refusalOf(sendCode(deps, request({ inviteCode: 'x' })))
    expect((await refusalOf(enter(code, { inviteCode: 'x' }))).code).toBe('invalid_invite_code')
    expect((await refusalOf(enter(code, { inviteCode: 'x' }))).code).toBe('too_many_attempts')
  })
})

describe('signing in', () => {
  test('opens a session for the right code', async () => {
    const { signIn, parts, addUser, audited } = await setUp()
    const ann = await addUser('ann')
    const { user, token } = await signIn()
    expect(user).toEqual(ann)
    expect((await findSession(parts, token))?.user).toEqual(ann)
    expect(await audited()).toEqual([{ action: 'login.ok', target: 'user:ann', actorId: ann.id }])
  })

  test('ends the session that the browser had before', async () => {
    const { signIn, parts } = await setUp()
    const { token } = await signIn()
    const previous = (await findSession(parts, token))?.sessionId
    await signIn({ previous })
    expect(await findSession(parts, token)).toBeUndefined()
  })

  test('makes an account for somebody new, with the usual limits', async () => {
    const { signIn, db } = await setUp({}, { default_quota_tokens: 1_000, default_budget_usd: 5 })
    await signIn()
    expect(await db.select().from(users)).toMatchObject([
      { itcode: 'ann', role: 'user', status: 'active', quotaTokens: 1_000 },
    ])
  })

  test('makes no account for somebody who may not register any more', async () => {
    const { parts, enter, db, audited } = await setUp({ auto_register: false })
    const actor = { id: null, ip: null, requestId: null }
    const { code } = await handOverCode(parts, { itcode: 'ann', actor })
    expect(await refusalOf(enter(code))).toMatchObject({
      code: 'invalid_code',
      message: 'No account can be made for this name.',
    })
    expect(await db.select().from(users)).toEqual([])
    expect(await audited()).toHaveLength(1)
  })

  test('accepts a code that an administrator handed over, in any browser', async () => {
    const { parts, enter, addUser } = await setUp()
    await addUser('ann')
    const actor = { id: null, ip: null, requestId: null }
    const { code } = await handOverCode(parts, { itcode: 'ann', actor })
    expect((await enter(code, { browser: 'other' })).user.itcode).toBe('ann')
    expect(await refusalOf(enter(code, { browser: 'other' }))).toMatchObject(WRONG)
  })

  test('is refused for a wrong code, which is audited once an hour for each account', async () => {
    const { send, enter, addUser, audited } = await setUp()
    await addUser('ann')
    await send()
    expect(await refusalOf(enter('wrong'))).toMatchObject(WRONG)
    expect(await refusalOf(enter('wrong'))).toMatchObject(WRONG)
    expect(await audited()).toEqual([{ action: 'login.failed', target: 'user:ann', actorId: null }])
  })

  test('is refused without a code, and unknown names share one row', async () => {
    const { enter, addUser, audited } = await setUp()
    await addUser('bob')
    expect(await refusalOf(enter('wrong'))).toMatchObject(WRONG)
    expect(await refusalOf(enter('wrong', { itcode: 'bob' }))).toMatchObject(WRONG)
    expect((await audited()).map(({ target }) => target)).toEqual(['user:', 'user:bob'])
  })

  test('names somebody new who has a code', async () => {
    const { send, enter, audited } = await setUp()
    await send()
    await refusalOf(enter('wrong'))
    expect((await audited()).map(({ target }) => target)).toEqual(['user:ann'])
  })

  test('is refused to an account that is disabled, which is audited', async () => {
    const { signIn, addUser, audited } = await setUp()
    const ann = await addUser('ann', { status: 'disabled' })
    expect(await refusalOf(signIn())).toMatchObject({
      code: 'account_disabled',
      message: 'Your account is disabled. Ask an administrator.',
    })
    expect(await audited()).toEqual([{ action: 'login.refused', target: 'user:ann', actorId: ann.id }])
  })

  test('asks for no invite code, but refuses a wrong one', async () => {
    const { send, enter } = await setUp(INVITED)
    const code = await send({ inviteCode: 'welcome' })
    expect((await refusalOf(enter(code, { inviteCode: 'x' }))).code).toBe('invalid_invite_code')
    expect((await enter(code)).user.itcode).toBe('ann')
    const open = await setUp()
    const next = await open.send()
    expect((await open.enter(next, { inviteCode: 'x' })).user.itcode).toBe('ann')
  })
})

describe('how often strangers may try', () => {
  test('30 times without a code for one account, and then once in 20 s', async () => {
    const { enter, clock } = await setUp()
    for (let i = 0; i < 30; i++) await refusalOf(enter('x'))
    expect(await refusalOf(enter('x'))).toMatchObject({ code: 'too_many_attempts', retryAfterMs: 20_000 })
    expect(await refusalOf(enter('x', { itcode: 'bob' }))).toMatchObject(WRONG)
    clock.advance(20_000)
    expect(await refusalOf(enter('x'))).toMatchObject(WRONG)
  })

  test('never keeps out a browser that is known, or one that has a code', async () => {
    const { enter, signIn, send } = await setUp()
    await signIn()
    for (let i = 0; i < 31; i++) await refusalOf(enter('x', { browser: `b${i}` }))
    expect(await refusalOf(enter('x', { browser: 'b' }))).toMatchObject({ code: 'too_many_attempts' })
    expect(await refusalOf(enter('x'))).toMatchObject(WRONG)
    const code = await send({ browser: 'other' })
    expect((await enter(code, { browser: 'other' })).user.itcode).toBe('ann')
  })

  test('2,000 times all together', () => {
    const clock = fakeClock()
    const limits = createSignInLimits(clock)
    for (let i = 0; i < 2_000; i++) limits.stranger()
    const expected = { code: 'too_many_attempts', message: 'Too many attempts. Please try again later.' }
    expect(refusalFrom(() => limits.stranger())).toMatchObject({ ...expected, retryAfterMs: 1_800 })
    clock.advance(1_800)
    limits.stranger()
  })

  test('is counted for attempts and for codes, and for known browsers in neither', async () => {
    const { deps, send, signIn, enter } = await setUp()
    await signIn()
    let strangers = 0
    deps.signInLimits.stranger = () => {
      strangers += 1
    }
    await refusalOf(enter('x', { browser: 'b' }))
    await send({ browser: 'b' })
    expect(strangers).toBe(2)
    await refusalOf(enter('x'))
    await send()
    expect(strangers).toBe(2)
  })

  test('300 times from one address, and then once in 2 s', () => {
    const clock = fakeClock()
    const limits = createSignInLimits(clock)
    for (let i = 0; i < 300; i++) limits.request('192.0.2.1')
    expect(refusalFrom(() => limits.request('192.0.2.1'))).toMatchObject({
      code: 'rate_limited',
      retryAfterMs: 2_000,
    })
    limits.request('192.0.2.2')
  })

  test('is counted for each known browser by itself', () => {
    const limits = createSignInLimits(fakeClock())
    for (let i = 0; i < 30; i++) limits.guess('ann', 'b1')
    expect(refusalFrom(() => limits.guess('ann', 'b1')).code).toBe('too_many_attempts')
    limits.guess('ann', 'b2')
    limits.guess('ann', undefined)
  })
})

describe('the mail with a code', () => {
  const mail = codeMail({ to: 'a@b.c', code: 'BCDFGHJK', validMs: 600_000, itcode: 'a&<b' })

  test('tells the code, in text and as the one heading of its HTML', () => {
    expect(mail).toMatchObject({
      to: 'a@b.c',
      code: 'BCDFGHJK',
      subject: 'Claude Gateway 登录验证码 · Your sign-in code',
    })
    expect(mail.text.split('\n\n')).toEqual([
      '您正在登录 Claude Gateway（账号 a&<b）。验证码 10 分钟内有效，只能使用一次。',
      'You are signing in to Claude Gateway as a&<b. The code is good for 10 minutes and for one login.',
      'BCDFGHJK',
      '如果不是您本人操作，请忽略此邮件；不要把验证码告诉任何人。',
      'If this was not you, ignore this mail. Never tell the code to anyone.',
    ])
    expect(mail.html).toMatchInlineSnapshot(
      `"<!doctype html><html><body><p>您正在登录 Claude Gateway（账号 a&#38;&#60;b）。验证码 10 分钟内有效，只能使用一次。</p><p>You are signing in to Claude Gateway as a&#38;&#60;b. The code is good for 10 minutes and for one login.</p><h1>BCDFGHJK</h1><p><small>如果不是您本人操作，请忽略此邮件；不要把验证码告诉任何人。<br>If this was not you, ignore this mail. Never tell the code to anyone.</small></p></body></html>"`,
    )
  })

  test('rounds its minutes, and tells one at least', () => {
    const minutes = (validMs: number) =>
      /for (\d+) minutes/.exec(codeMail({ ...mail, validMs, itcode: 'a' }).text)?.[1]
    expect([minutes(1), minutes(89_999), minutes(90_000)]).toEqual(['1', '1', '2'])
  })
})
