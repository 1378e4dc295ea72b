/** Wrong input for every field of every route, made from the schemas: a field that is added is in it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { randomText } from '../../core/ids.ts'
import type { Route } from '../../functions/route.ts'
import { functions } from '../../functions/table.ts'
import { type App, startApp } from '../support/app.ts'
import type { Answer, Browser } from '../support/browser.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const routes: Route[] = Object.values(functions).flat()
const Shape = z.looseObject({ properties: z.record(z.string(), z.unknown()).default({}) })
const fieldsOf = (schema: z.ZodType) =>
  Object.keys(Shape.parse(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })).properties)

/** Fields that hold a document of others, in which anything may be. */
const DOCUMENTS = new Set(['settings'])
/** What is not known in a form of OAuth is ignored, as OAuth wants it. */
const isForm = ({ bodyType }: Route) => bodyType === 'application/x-www-form-urlencoded'

const bodies = routes.flatMap((route) => {
  const { method, path, body } = route
  return body && !isForm(route) ? fieldsOf(body).map((field) => ({ method, path, field })) : []
})
const queries = routes.flatMap((route) => {
  const { method, path, query } = route
  return query ? fieldsOf(query).map((field) => ({ method, path, field })) : []
})

describe('I01: every field', () => {
  let upstream: FakeUpstream
  let app: App
  let boss: Browser & { id: number }
  let key: string
  let adminKey: string
  beforeAll(async () => {
    upstream = await startUpstream()
    app = await startApp({ backends: [{ name: 'a', url: upstream.url, api_key: 'k-of-a' }] })
    boss = await app.signIn('boss', 'admin')
    key = (await boss.post('/api/keys', { name: 'x' })).body.key.key
    const wanted = { name: 'x', scopes: ['write', 'scim'] }
    adminKey = (await boss.post('/admin/api/admin-keys', wanted)).body.secret
  })
  afterAll(async () => {
    await app.close()
    await upstream.stop()
  })
  const headersOf = (path: string): Record<string, string> => {
    if (/^\/(v1\/organizations|scim)\//.test(path)) return { 'x-api-key': adminKey }
    return path.startsWith('/v1/') ? { 'x-api-key': key } : {}
  }
  const send = (method: string, path: string, body?: string) =>
    method === 'PUT' ? boss.put(path, body) : boss.post(path, body, { headers: headersOf(path) })
  /** What is wrong with each field. In Anthropic's envelope the message names them. */
  const problemsIn = ({ body }: Answer): Record<string, string> =>
    body.error?.fields ??
    Object.fromEntries(
      String(body.error?.message)
        .split('; ')
        .map((problem) => problem.split(': ')),
    )

  test.each(bodies)('$field of $method $path', async ({ method, path, field }) => {
    const at = path.replace(':name', 'a').replace(/:\w+/g, String(boss.id))
    const before = JSON.stringify(await app.db.query.users.findMany())
    for (const value of [{ wrong: true }, [[]], 'x'.repeat(50_000), 'a\0b', 'a\ud800', true, -1e300]) {
      const answer = await send(method, at, JSON.stringify({ [field]: value }))
      const wrong = Object.keys(problemsIn(answer)).map((path) => path.split('.')[0])
      // A field may be a switch that takes true, or a document; anything else is wrong.
      const mayBeRight = value === true || (DOCUMENTS.has(field) && typeof value === 'object')
      if (mayBeRight && answer.status !== 500 && !wrong.includes(field)) continue
      expect([value, answer.status]).toEqual([value, 400])
      expect(wrong).toContain(field)
    }
    const again = `{"${field}":{"wrong":1},"${field}":{"wrong":2}}`
    if (!DOCUMENTS.has(field)) expect((await send(method, at, again)).status).toBe(400)
    expect(JSON.stringify(await app.db.query.users.findMany())).toBe(before)
  })

  test.each(queries)('$field in the query of $method $path', async ({ path, field }) => {
    const at = path.replace(/:\w+/g, '1')
    // What is asked for may not be there.
    for (const value of ["'; drop table users; --", 'x'.repeat(8_000), '\0', '%', '-1', '1e3', '１', '']) {
      const answer = await boss.get(`${at}?${field}=${encodeURIComponent(value)}`, {
        headers: headersOf(path),
      })
      expect([value, answer.status]).toEqual([value, expect.toBeOneOf([200, 400, 404])])
      if (answer.status === 200) expect(answer.text.length).toBeLessThan(20_000)
    }
    const long = await boss.get(`${at}?${field}=${'x'.repeat(8_000)}`, { headers: headersOf(path) })
    expect(long.status).toBeOneOf([400, 404])
  })

  test('is one that is known', async () => {
    for (const route of routes) {
      const { method, path, body } = route
      // Directories send more than anybody reads.
      if (!body || isForm(route) || path.startsWith('/scim/')) continue
      const answer = await send(method, path.replace(':name', 'a').replace(/:\w+/g, '1'), '{"surprise":1}')
      expect([path, answer.status, problemsIn(answer).surprise]).toEqual([
        path,
        400,
        'this field is not known',
      ])
    }
  })
})

test('A04: the symbols of codes are drawn evenly', () => {
  const alphabet = 'BCDFGHJKLMNPQRSTVWXZ'
  const drawn = 600_000
  const counts = new Map<string, number>()
  for (let i = 0; i < drawn / 20_000; i++) {
    for (const symbol of randomText(20_000, alphabet)) counts.set(symbol, (counts.get(symbol) ?? 0) + 1)
  }
  const expected = drawn / alphabet.length
  const chi2 = [...alphabet].reduce(
    (sum, symbol) => sum + ((counts.get(symbol) ?? 0) - expected) ** 2 / expected,
    0,
  )
  // 19 degrees of freedom: one run in ten million is above.
  expect(chi2).toBeLessThan(66)
})
