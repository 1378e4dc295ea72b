import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Doing } from '../../core/limits/person.ts'
import { createGateway } from '../../functions/gateway.ts'
import { type App, startApp } from '../support/app.ts'

let app: App
beforeEach(async () => {
  app = await startApp()
})
afterEach(() => app.close())

/** As somebody who has done so `times` already. */
const done = (userId: number, doing: Doing, times: number) => {
  for (let i = 0; i < times; i++) app.deps.personLimits.begin(userId, doing)()
}

test('one person cannot fill the audit, and nobody else notices', async () => {
  const ann = await app.signIn('ann')
  const bob = await app.signIn('bob')
  const { id } = (await ann.post('/api/keys', { name: 'x' })).body.key
  done(ann.id, 'change', 2_398)
  expect((await ann.put(`/api/keys/${id}`, { name: 'n' })).status).toBe(200)
  const answer = await ann.put(`/api/keys/${id}`, { name: 'm' })
  expect([answer.status, answer.body.error.code, answer.headers.get('retry-after')]).toEqual([
    429,
    'rate_limited',
    '18',
  ])
  const { length } = await app.audit()
  // To take a file is written down too.
  expect((await ann.get('/api/usage/export')).status).toBe(429)
  expect((await ann.delete(`/api/keys/${id}`)).status).toBe(429)
  expect(await app.audit()).toHaveLength(length)
  expect((await ann.get('/api/keys')).status).toBe(200)
  expect((await bob.post('/api/keys', { name: 'y' })).status).toBe(201)
  app.clock.advance(18_000)
  expect((await ann.delete(`/api/keys/${id}`)).status).toBe(200)
})

test('nor change the same thing over and over', async () => {
  const ann = await app.signIn('ann')
  const ids = await Promise.all(
    [1, 2].map(async () => (await ann.post('/api/keys', { name: 'x' })).body.key.id),
  )
  const [one, two] = ids.map((id) => `/api/keys/${id}`)
  let answer = await ann.put(one ?? '', { name: 'n' })
  let renamed = 0
  for (; answer.status === 200; renamed++)
    answer = await ann.put(`${one}?${renamed}`, { name: `n${renamed}` })
  expect([renamed, answer.headers.get('retry-after')]).toEqual([120, '5'])
  expect((await ann.put(two ?? '', { name: 'n' })).status).toBe(200)
  app.clock.advance(5_000)
  expect((await ann.put(one ?? '', { name: 'n' })).status).toBe(200)
})

test('nor ask without end, nor do much at once', async () => {
  const ann = await app.signIn('ann')
  const ends = Array.from({ length: 64 }, () => app.deps.personLimits.begin(ann.id, 'read'))
  const busy = await ann.get('/api/auth/me')
  expect([busy.status, busy.headers.get('retry-after')]).toEqual([429, '1'])
  for (const end of [...ends, ...ends]) end()
  done(ann.id, 'read', 1_200 - 65)
  expect((await ann.get('/api/auth/me')).status).toBe(200)
  expect((await ann.get('/api/auth/me')).status).toBe(429)
  app.clock.advance(50)
  // What is refused for other reasons counts as well, and gives its place back.
  expect((await ann.get('/admin/api/users/1x')).status).toBe(403)
  app.clock.advance(50)
  expect((await ann.get('/api/auth/me')).status).toBe(200)
})

test('few files are taken at once: each counts until it is taken, or given up', async () => {
  const ann = await app.signIn('ann')
  const headers = { cookie: [...ann.cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
  const gateway = createGateway(app.deps)
  const file = () => gateway.fetch(new Request('http://gateway.test/api/usage/export', { headers }))
  const open = [await file(), await file(), await file()]
  expect(open.map(({ status }) => status)).toEqual([200, 200, 200])
  expect((await file()).status).toBe(429)
  await open[0]?.text()
  expect((await file()).status).toBe(200)
  expect((await file()).status).toBe(429)
  await open[1]?.body?.cancel()
  expect((await file()).status).toBe(200)
  // Nor does a file that was refused stay.
  for (let i = 0; i < 5; i++) expect((await ann.get('/api/usage/export?start_date=x')).status).toBe(400)
  await open[2]?.body?.cancel()
  expect((await file()).status).toBe(200)
})

test('of a file that is asked for by HEAD nothing stays', async () => {
  const ann = await app.signIn('ann')
  const headers = { cookie: [...ann.cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
  for (let i = 0; i < 5; i++) {
    const answer = await app.open('/api/usage/export', { method: 'HEAD', headers })
    expect([answer.status, await answer.text()]).toEqual([200, ''])
  }
})

test('a proxy that nobody named is told of once', async () => {
  const named = await startApp({ server: { trusted_proxies: ['10.0.0.0/8'] } })
  const ask = (one: App, peer: string, forwarded?: string) =>
    one.request('/api/auth/config', {
      peer,
      ...(forwarded === undefined ? {} : { headers: { 'x-forwarded-for': forwarded } }),
    })
  const told = (one: App) => one.logs.lines.filter(({ event }) => event === 'proxy.not_trusted')
  await ask(app, '10.0.0.1')
  // Some runtimes say there what they know already.
  await ask(app, '10.0.0.1', '10.0.0.1')
  expect(told(app)).toEqual([])
  await ask(app, '10.0.0.1', '198.51.100.7')
  await ask(app, '10.0.0.1', '198.51.100.8')
  expect(told(app)).toEqual([
    {
      level: 'warn',
      event: 'proxy.not_trusted',
      fields: { peer: '10.0.0.1', hint: expect.stringContaining('trusted_proxies') },
    },
  ])
  await ask(named, '10.0.0.1', '198.51.100.7')
  expect(told(named)).toEqual([])
  await ask(named, '192.0.2.1', '198.51.100.7')
  expect(told(named)).toHaveLength(1)
  await named.close()
})
