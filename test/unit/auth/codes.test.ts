import { afterAll, describe, expect, test } from 'vitest'
import {
  cancelCode,
  handOverCode,
  isKnown,
  issueCode,
  recordWrongInvite,
  standingOf,
  sweepCodes,
  useCode,
  useHandedOver,
} from '../../../core/auth/codes.ts'
import { loginCodes } from '../../../core/db/schema.ts'
import { memoryStore } from '../../support/memory-store.ts'
import { refusalOf } from '../../support/refusals.ts'
import { ASKER, signInScene } from '../../support/sign-in.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const OTHER = { ...ASKER, browser: 'browser-2' }
const ADMIN = { id: null, ip: null, requestId: null }

const store = await memoryStore()
afterAll(() => store.close())
const setUp = async (auth: object = {}) => {
  const scene = await signInScene(store, auth)
  const { parts, clock } = scene
  const issue = (asker = ASKER) => issueCode(parts, asker, { newcomer: true, invitationId: null })
  /** Issues so many codes, each after the time in which no other is sent. */
  const issueMany = async (
    count: number,
    askerOf: (i: number) => typeof ASKER = () => ASKER,
    every = MINUTE,
  ) => {
    for (let i = 0; i < count; i++) {
      await issue(askerOf(i))
      clock.advance(every)
    }
  }
  const signIn = async (asker = ASKER) =>
    (await useCode(parts, asker, (await issue(asker)).code)) !== undefined
  return {
    ...scene,
    issue,
    issueMany,
    signIn,
    use: async (code: string, asker = ASKER) => (await useCode(parts, asker, code)) !== undefined,
  }
}

describe('a code', () => {
  test('is eight letters without vowels, or six digits', async () => {
    expect((await (await setUp()).issue()).code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{8}$/)
    expect((await (await setUp({ code_style: 'digits' })).issue()).code).toMatch(/^\d{6}$/)
  })

  test('lets in once', async () => {
    const { issue, use } = await setUp()
    const { code } = await issue()
    expect([await use(code), await use(code)]).toEqual([true, false])
  })

  test('may be typed in lower case, with spaces and hyphens', async () => {
    const { issue, use } = await setUp()
    const { code } = await issue()
    expect(await use(` ${code.slice(0, 4).toLowerCase()}-${code.slice(4)}\t`)).toBe(true)
  })

  test('is valid in the browser and for the account that asked', async () => {
    const { issue, use } = await setUp()
    const { code } = await issue()
    expect(await use(code, OTHER)).toBe(false)
    expect(await use(code, { ...ASKER, itcode: 'bob' })).toBe(false)
    expect(await use(code)).toBe(true)
  })

  test('is valid until it expires', async () => {
    const { issue, use, clock, parts } = await setUp()
    const { code } = await issue()
    clock.advance(parts.auth.codeExpiryMs - 1)
    expect(await use(code)).toBe(true)
    const { code: next } = await issue()
    clock.advance(parts.auth.codeExpiryMs)
    expect(await use(next)).toBe(false)
  })

  test('is valid until five wrong guesses', async () => {
    const { issue, use, clock } = await setUp()
    const { code } = await issue()
    for (let i = 0; i < 4; i++) expect(await use('wrong')).toBe(false)
    expect(await use(code)).toBe(true)
    const { code: next } = await issue()
    clock.advance(1)
    for (let i = 0; i < 5; i++) expect(await use('wrong')).toBe(false)
    expect(await use(next)).toBe(false)
  })

  test('is invalid once a newer one is there', async () => {
    const { issue, use, clock } = await setUp()
    const { code } = await issue()
    clock.advance(MINUTE)
    const { code: newer } = await issue()
    expect([await use(code), await use(newer)]).toEqual([false, true])
  })

  test('that could not be delivered is invalid, and does not delay the next', async () => {
    const { issue, use, parts } = await setUp()
    const { id, code } = await issue()
    await cancelCode(parts, id)
    expect(await use(code)).toBe(false)
    const { code: next } = await issue()
    expect(await use(next)).toBe(true)
  })
})

describe('codes are sent', () => {
  test('once a minute to one browser', async () => {
    const { issue, clock } = await setUp()
    await issue()
    clock.advance(MINUTE - 1)
    expect(await refusalOf(issue())).toMatchObject({
      code: 'too_many_attempts',
      retryAfterMs: 1,
      message: 'A code is on its way. Please try again later.',
    })
    await issue(OTHER)
    await issue({ ...ASKER, itcode: 'bob' })
    clock.advance(1)
    await issue()
  })

  test('at once after one was used', async () => {
    const { signIn, issue } = await setUp()
    await signIn()
    await issue()
  })

  test('twenty times a day for one account to all unknown browsers together', async () => {
    const { issueMany, issue, clock } = await setUp()
    await issueMany(20, (i) => ({ ...ASKER, browser: `b${i}`, ip: `ip${i}` }), 1)
    expect(await refusalOf(issue())).toMatchObject({
      code: 'too_many_attempts',
      retryAfterMs: DAY - 20,
      message: 'Too many codes were asked for. Please try again later.',
    })
    await issue({ ...ASKER, itcode: 'bob' })
    clock.advance(DAY - 20)
    await issue()
  })

  test('twenty times a day to each browser that is known', async () => {
    const { issueMany, signIn, issue } = await setUp()
    await signIn()
    await signIn(OTHER)
    await issueMany(18, (i) => ({ ...ASKER, browser: `b${i}`, ip: `ip${i}` }))
    // Strangers have used up theirs.
    expect((await refusalOf(issue({ ...ASKER, browser: 'x' }))).code).toBe('too_many_attempts')
    await issueMany(20)
    expect((await refusalOf(issue())).code).toBe('too_many_attempts')
    await issue(OTHER)
  })

  test('a hundred times an hour to unknown browsers at one address', async () => {
    const { issueMany, issue, clock, signIn } = await setUp()
    await signIn({ ...ASKER, itcode: 'known' })
    await issueMany(99, (i) => ({ itcode: `user${i}`, browser: `b${i}`, ip: ASKER.ip }), 0)
    expect(await refusalOf(issue())).toMatchObject({ code: 'too_many_attempts', retryAfterMs: HOUR })
    await issue({ ...ASKER, ip: '192.0.2.2' })
    // A browser that is known is not stopped by strangers at its address.
    await issue({ ...ASKER, itcode: 'known' })
    clock.advance(HOUR)
    await issue()
  })

  test('for as many accounts as there are wrong invite codes at one address', async () => {
    const { parts, issue } = await setUp()
    for (let i = 0; i < 100; i++) await recordWrongInvite(parts, { ...ASKER, itcode: `user${i}` })
    expect((await refusalOf(recordWrongInvite(parts, ASKER))).code).toBe('too_many_attempts')
    expect((await refusalOf(issue())).code).toBe('too_many_attempts')
  })
})

test('wrong invite codes make nobody known, and no account wait', async () => {
  const { parts, issue } = await setUp()
  for (let i = 0; i < 30; i++) await recordWrongInvite(parts, ASKER)
  expect(await isKnown(parts.db, { ...ASKER, itcode: '' })).toBe(false)
  await issue()
})

describe('a browser', () => {
  test('is known to an account that it signed in to, and to no other', async () => {
    const { parts, issue, signIn } = await setUp()
    const known = () => isKnown(parts.db, ASKER)
    await issue({ ...ASKER, ip: 'x' })
    expect(await known()).toBe(false)
    await signIn(OTHER)
    expect(await known()).toBe(false)
    expect(await isKnown(parts.db, OTHER)).toBe(true)
    expect(await isKnown(parts.db, { ...OTHER, itcode: 'bob' })).toBe(false)
  })
})

describe('what is known of an attempt', () => {
  test('is whether the browser has a code, whatever is typed', async () => {
    const { parts, issue, clock } = await setUp()
    const standing = (asker = ASKER) => standingOf(parts, asker, 'wrong')
    expect(await standing()).toEqual({ handedOver: false, hasCode: false, known: false })
    await issue()
    expect(await standing()).toEqual({ handedOver: false, hasCode: true, known: false })
    expect(await standing(OTHER)).toMatchObject({ hasCode: false })
    expect(await standing({ ...ASKER, itcode: 'bob' })).toMatchObject({ hasCode: false })
    clock.advance(parts.auth.codeExpiryMs)
    expect(await standing()).toMatchObject({ hasCode: false })
  })

  test('is whether the browser signed in before', async () => {
    const { parts, signIn } = await setUp()
    await signIn()
    expect(await standingOf(parts, ASKER, 'x')).toEqual({ handedOver: false, hasCode: false, known: true })
  })

  test('is whether the code was handed over by an administrator', async () => {
    const { parts } = await setUp()
    const { code } = await handOverCode(parts, { itcode: 'ann', actor: ADMIN })
    expect(await standingOf(parts, OTHER, code.toLowerCase())).toMatchObject({
      handedOver: true,
      hasCode: false,
    })
    expect(await standingOf(parts, OTHER, 'wrong')).toMatchObject({ handedOver: false })
  })
})

describe('a code that an administrator hands over', () => {
  test('lets any browser in, once, within half an hour', async () => {
    const { parts, clock, audited } = await setUp()
    const { code, expiresAt } = await handOverCode(parts, { itcode: 'ann', actor: ADMIN })
    expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{16}$/)
    expect(expiresAt).toBe(clock.now() + 30 * MINUTE)
    expect(await audited()).toEqual([{ action: 'login.code_handed_over', target: 'user:ann', actorId: null }])
    expect(await useHandedOver(parts, { ...OTHER, itcode: 'bob' }, code)).toBeUndefined()
    expect(await useHandedOver(parts, OTHER, 'wrong')).toBeUndefined()
    expect(await useHandedOver(parts, OTHER, code.toLowerCase())).toBeDefined()
    expect(await useHandedOver(parts, OTHER, code)).toBeUndefined()
    expect(await isKnown(parts.db, OTHER)).toBeDefined()
    expect(await isKnown(parts.db, ASKER)).toBe(false)
  })

  test('expires', async () => {
    const { parts, clock } = await setUp()
    const { code } = await handOverCode(parts, { itcode: 'ann', actor: ADMIN })
    clock.advance(30 * MINUTE)
    expect(await useHandedOver(parts, ASKER, code)).toBeUndefined()
    expect(await standingOf(parts, ASKER, code)).toMatchObject({ handedOver: false })
  })

  test('makes earlier ones invalid, and leaves mailed ones as they are', async () => {
    const { parts, issue, use } = await setUp()
    const { code: mailed } = await issue()
    const { code } = await handOverCode(parts, { itcode: 'ann', actor: ADMIN })
    const { code: others } = await handOverCode(parts, { itcode: 'bob', actor: ADMIN })
    const { code: newer } = await handOverCode(parts, { itcode: 'ann', actor: ADMIN })
    expect(await use(mailed)).toBeDefined()
    expect(await useHandedOver(parts, ASKER, code)).toBeUndefined()
    expect(await useHandedOver(parts, ASKER, newer)).toBeDefined()
    expect(await useHandedOver(parts, { ...ASKER, itcode: 'bob' }, others)).toBeDefined()
  })

  test('is not counted with those that are sent', async () => {
    const { parts, issue } = await setUp()
    for (let i = 0; i < 25; i++) await handOverCode(parts, { itcode: 'ann', actor: ADMIN })
    await issue()
  })
})

test('old codes are swept away: unused ones after a day, used ones after 180', async () => {
  const { db, clock, issue, signIn } = await setUp()
  await signIn()
  await issue()
  const count = async () => (await db.select().from(loginCodes)).length
  const at = clock.now()
  await sweepCodes(db, at + DAY)
  expect(await count()).toBe(2)
  await sweepCodes(db, at + DAY + 1)
  expect(await count()).toBe(1)
  await sweepCodes(db, at + 180 * DAY)
  expect(await count()).toBe(1)
  await sweepCodes(db, at + 180 * DAY + 1)
  expect(await count()).toBe(0)
})
