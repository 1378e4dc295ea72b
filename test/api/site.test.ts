import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { siteFrom } from '../../adapters/shared/site.ts'
import { type App, startApp } from '../support/app.ts'
import { temporaryFolder } from '../support/stores.ts'

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
const PAGE = '<!doctype html><title>dashboard</title>'

describe('the dashboard', () => {
  const folder = temporaryFolder()
  let app: App
  beforeAll(async () => {
    mkdirSync(join(folder.path, '_app/immutable'), { recursive: true })
    writeFileSync(join(folder.path, 'index.html'), PAGE)
    writeFileSync(join(folder.path, '_app/immutable/start.js'), 'export {}')
    app = await startApp({}, undefined, siteFrom(folder.path))
  })
  afterAll(async () => {
    await app.close()
    folder.remove()
  })
  const ask = (path: string, accept?: string, method = 'GET') =>
    app.request(path, { method, headers: accept === undefined ? {} : { accept } })

  test.each(['/', '/usage', '/admin/users/', '/nowhere'])(
    '%s is the page for a browser that goes there, and for nobody else',
    async (path) => {
      const page = await ask(path, BROWSER)
      expect([page.status, page.text, page.headers.get('x-content-type-options')]).toEqual([
        200,
        PAGE,
        'nosniff',
      ])
      expect((await ask(path, BROWSER, 'HEAD')).status).toBe(200)
      for (const accept of [undefined, '*/*', 'application/json', 'text/plain', 'text/event-stream']) {
        const answer = await ask(path, accept)
        expect([answer.status, answer.body?.error.code]).toEqual([404, 'not_found'])
      }
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
        expect((await ask(path, BROWSER, method)).status).toBe(404)
      }
    },
  )

  test.each([
    '/api/nothing',
    '/v1/nothing',
    '/v1',
    '/admin/api/nothing',
    '/_app/nothing',
    '/_app/immutable/gone.js',
    '/metrics',
    '/config.yaml',
    '/index.html',
    '//admin',
    '/.well-known/oauth-protected-resource',
  ])('%s is an error for a browser too', async (path) => {
    expect([path, (await ask(path, BROWSER)).status]).toEqual([path, 404])
  })

  test('its files are there for whoever asks', async () => {
    for (const accept of [undefined, '*/*', BROWSER]) {
      const file = await ask('/_app/immutable/start.js', accept)
      expect([file.status, file.text, file.headers.get('content-type')]).toEqual([
        200,
        'export {}',
        'text/javascript; charset=utf-8',
      ])
    }
  })

  test('I14: an address that is almost a page costs no more than any other', async () => {
    for (const path of [`/${'a'.repeat(10_000)}!`, `${'/a'.repeat(5_000)}!`, `${'/'.repeat(10_000)}!`])
      expect((await ask(path, BROWSER)).status).toBe(404)
  })
})
