import { eq } from 'drizzle-orm'
import { SignJWT } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import {
  closeSession,
  closeSessionsOf,
  findSession,
  logOutEverywhere,
  openSession,
  sweepSessions,
} from '../../../core/auth/sessions.ts'
import { sessions, users } from '../../../core/db/schema.ts'
import { memoryStore } from '../../support/memory-store.ts'
import { signInScene } from '../../support/sign-in.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const GIVEN = { ip: '192.0.2.1', userAgent: 'Firefox', previous: undefined, itcode: 'ann' }

const store = await memoryStore()
afterAll(() => store.close())
const setUp = async (auth: object = {}) => {
  const scene = await signInScene(store, auth)
  const user = await scene.addUser('ann')
  const open = (given: object = {}) =>
    openSession({ ...scene.parts, actor: COMMAND_LINE }, { userId: user.id, ...GIVEN, ...given })
  const find = (token: string) => findSession(scene.parts, token)
  const rows = () => scene.db.select().from(sessions).orderBy(sessions.createdAt)
  return { ...scene, user, open, find, rows }
}
type Scene = Awaited<ReturnType<typeof setUp>>

/** A token of this session, signed as the gateway does unless `given` says otherwise. */
async function forged({ parts, clock, rows, user }: Scene, given: { [claim: string]: unknown } = {}) {
  const [session] = await rows()
  const { alg = 'HS256', typ = 'JWT', secret = parts.auth.secrets[0], ...claims } = given
  const seconds = Math.floor(clock.now() / 1000)
  const payload = {
    sid: session?.id,
    sub: String(user.id),
    iss: 'claude-gateway',
    aud: 'dashboard',
    iat: seconds,
    exp: seconds + 60,
    ...claims,
  }
  return new SignJWT(payload)
    .setProtectedHeader({ alg: String(alg), typ: String(typ) })
    .sign(new TextEncoder().encode(String(secret)))
}

describe('a session', () => {
  test('is found by its token, with its user', async () => {
    const { open, find, user, rows, clock, parts, audited } = await setUp()
    const found = await find(await open())
    const [row] = await rows()
    expect(found).toEqual({ user, sessionId: row?.id, signedInAt: row?.createdAt })
    expect(row).toEqual({
      id: expect.stringMatching(/^[a-z0-9]{32}$/),
      userId: user.id,
      createdAt: clock.now(),
      lastSeenAt: clock.now(),
      expiresAt: clock.now() + parts.auth.sessionMaxAgeMs,
      revokedAt: null,
      ip: '192.0.2.1',
      userAgent: 'Firefox',
    })
    expect(await audited()).toEqual([{ action: 'login.ok', target: 'user:ann', actorId: null }])
  })

  test('keeps 256 characters of what its browser says of itself', async () => {
    const { open, rows } = await setUp()
    await open({ userAgent: 'x'.repeat(300) })
    expect((await rows())[0]?.userAgent).toBe('x'.repeat(256))
  })

  test('ends when another one is opened in its browser', async () => {
    const { open, find, rows } = await setUp()
    const first = await open()
    const second = await open()
    const [row] = await rows()
    await open({ previous: row?.id })
    const found = [await find(first), await find(second)]
    expect(found.filter(Boolean)).toHaveLength(1)
  })

  test('ends when it is closed, and no other does', async () => {
    const { open, find, parts } = await setUp()
    const [one, other] = [await open(), await open()]
    await closeSession(parts, (await find(one))?.sessionId ?? '')
    expect(await find(one)).toBeUndefined()
    expect(await find(other)).toBeDefined()
  })

  test('ends with its age', async () => {
    const { open, find, clock, parts } = await setUp({ session_idle: '7d' })
    const token = await open()
    clock.advance(parts.auth.sessionMaxAgeMs - 1_000)
    expect(await find(token)).toBeDefined()
    clock.advance(1_000)
    expect(await find(token)).toBeUndefined()
  })

  test('ends with its age by its row, whatever its token says', async () => {
    const scene = await setUp({ session_idle: '7d' })
    await scene.open()
    scene.clock.advance(scene.parts.auth.sessionMaxAgeMs)
    expect(await scene.find(await forged(scene))).toBeUndefined()
  })

  test('ends when nobody used it for long', async () => {
    const { open, find, clock, parts } = await setUp()
    const token = await open()
    clock.advance(parts.auth.sessionIdleMs - 1)
    expect(await find(token)).toBeDefined()
    clock.advance(parts.auth.sessionIdleMs - 1)
    expect(await find(token)).toBeDefined()
    clock.advance(parts.auth.sessionIdleMs)
    expect(await find(token)).toBeUndefined()
  })

  test('notes its use once a minute', async () => {
    const { open, find, clock, rows } = await setUp()
    const token = await open()
    const at = clock.now()
    const seenAfter = async (ms: number) => {
      clock.advance(ms)
      await find(token)
      return ((await rows())[0]?.lastSeenAt ?? 0) - at
    }
    expect([await seenAfter(59_999), await seenAfter(1), await seenAfter(59_999)]).toEqual([
      0, 60_000, 60_000,
    ])
  })

  test('notes its use more often where it ends soon', async () => {
    const { open, find, clock, parts } = await setUp({ session_idle: '1m' })
    expect(parts.auth.sessionIdleMs).toBe(60_000)
    const token = await open()
    clock.advance(30_000)
    await find(token)
    clock.advance(30_000)
    expect(await find(token)).toBeDefined()
  })

  test('is none of a user who is disabled', async () => {
    const { open, find, db, user } = await setUp()
    const token = await open()
    await db.update(users).set({ status: 'disabled' }).where(eq(users.id, user.id))
    expect(await find(token)).toBeUndefined()
  })
})

describe('a token', () => {
  test('may be signed with an earlier secret', async () => {
    const first = 'a7e1d0c4a96f42358e0d7a1c5f3b9e62d84a'
    const second = 'c7e1d0c4a96f42358e0d7a1c5f3b9e62d84a'
    const scene = await setUp({ session_secret: [first, second] })
    await scene.open()
    expect(await scene.find(await forged(scene, { secret: second }))).toBeDefined()
    expect(await scene.find(await forged(scene, { secret: `${second}x` }))).toBeUndefined()
  })

  test.each<[string, object]>([
    ['another issuer', { iss: 'x' }],
    ['another audience', { aud: 'x' }],
    ['another type', { typ: 'at+jwt' }],
    ['another algorithm', { alg: 'HS512', secret: 'x'.repeat(64) }],
    ['another user', { sub: '99' }],
    ['no user', { sub: undefined }],
    ['an empty user', { sub: '' }],
    ['no session', { sid: undefined }],
    ['an empty session', { sid: '' }],
    ['a session that is too long', { sid: 'x'.repeat(65) }],
    ['another session', { sid: 'x'.repeat(32) }],
    ['no beginning', { iat: undefined }],
    ['no end', { exp: undefined }],
    ['an end that has passed', { exp: 1 }],
  ])('with %s is none', async (_, claims) => {
    const scene = await setUp()
    await scene.open()
    expect(await scene.find(await forged(scene))).toBeDefined()
    expect(await scene.find(await forged(scene, { ...claims }))).toBeUndefined()
  })

  test('that is too long is not looked at', async () => {
    const scene = await setUp()
    await scene.open()
    expect(await scene.find(await forged(scene, { x: 'x'.repeat(1_200) }))).toBeDefined()
    expect(await scene.find(await forged(scene, { x: 'x'.repeat(2_000) }))).toBeUndefined()
    expect(await scene.find('nonsense')).toBeUndefined()
  })

  test('says when it ends', async () => {
    const { open, clock, parts, user } = await setUp()
    const token = await open()
    const claims = JSON.parse(atob(token.split('.')[1] ?? ''))
    const seconds = Math.floor(clock.now() / 1000)
    expect(claims).toMatchObject({
      sub: String(user.id),
      iss: 'claude-gateway',
      aud: 'dashboard',
      iat: seconds,
      exp: seconds + parts.auth.sessionMaxAgeMs / 1000,
    })
    expect(JSON.parse(atob(token.split('.')[0] ?? ''))).toEqual({ alg: 'HS256', typ: 'JWT' })
  })
})

describe('signing out everywhere', () => {
  test('ends all sessions of the user and no others, and is audited', async () => {
    const { open, find, parts, user, addUser, audited, db } = await setUp()
    const bob = await addUser('bob')
    const [one, two, other] = [await open(), await open(), await open({ userId: bob.id })]
    await logOutEverywhere({ ...parts, actor: COMMAND_LINE }, user.id)
    expect([await find(one), await find(two)]).toEqual([undefined, undefined])
    expect(await find(other)).toBeDefined()
    expect((await audited()).at(-1)).toEqual({
      action: 'logout.everywhere',
      target: `user:${user.id}`,
      actorId: null,
    })
    // Those that had ended before keep the moment at which they did.
    await closeSessionsOf(db, user.id, parts.clock.now() + 5)
    const ended = await db.select().from(sessions).where(eq(sessions.userId, user.id))
    expect(ended.map(({ revokedAt }) => revokedAt)).toEqual([parts.clock.now(), parts.clock.now()])
  })

  test('may have a condition', async () => {
    const { open, find, db, user, clock } = await setUp()
    const token = await open()
    await closeSessionsOf(db, user.id, clock.now(), eq(sessions.ip, 'x'))
    expect(await find(token)).toBeDefined()
    await closeSessionsOf(db, user.id, clock.now(), eq(sessions.ip, GIVEN.ip))
    expect(await find(token)).toBeUndefined()
  })
})

test('sessions are swept away a day after they ended', async () => {
  const { open, find, db, clock, parts, rows } = await setUp()
  const closed = await find(await open())
  await closeSession(parts, closed?.sessionId ?? '')
  await open()
  const at = clock.now()
  const left = async (now: number) => {
    await sweepSessions(db, now)
    return (await rows()).length
  }
  expect([await left(at + DAY), await left(at + DAY + 1)]).toEqual([2, 1])
  const end = at + parts.auth.sessionMaxAgeMs + DAY
  expect([await left(end), await left(end + 1)]).toEqual([1, 0])
})
