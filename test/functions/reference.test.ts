import { createConfig, lintFromString } from '@redocly/openapi-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { functions } from '../../functions/gateway.ts'
import { type App, startApp } from '../support/app.ts'

describe('the reference', () => {
  let app: App
  beforeAll(async () => {
    app = await startApp()
  })
  afterAll(() => app.close())

  test('is valid OpenAPI 3.1, as a linter sees it', async () => {
    const { text, status } = await app.request('/openapi.json')
    expect(status).toBe(200)
    const config = await createConfig({ extends: ['recommended'] })
    const problems = await lintFromString({ source: text, absoluteRef: 'openapi.json', config })
    expect(
      problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`),
    ).toEqual([])
  })

  test('names every route with its tier, input and answer', async () => {
    const { body } = await app.request('/openapi.json')
    const routes = Object.values(functions).flat()
    const described = Object.entries<object>(body.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(described.toSorted()).toEqual(
      routes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`).toSorted(),
    )
    expect(body.paths['/api/keys'].post).toMatchObject({
      security: [{ session: [] }],
      requestBody: {
        content: { 'application/json': { schema: { required: ['name'], additionalProperties: false } } },
      },
      responses: {
        201: {
          content: {
            'application/json': { schema: { properties: { key: { $ref: '#/components/schemas/NewKey' } } } },
          },
        },
        401: { $ref: '#/components/responses/Error401' },
      },
    })
  })

  test('is a page that loads nothing from outside and runs nothing', async () => {
    const page = await app.request('/docs')
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page.headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
    )
    expect(page.text).not.toMatch(/<script|https?:\/\/|\sstyle=|\son\w+=/)
    for (const { path } of Object.values(functions).flat()) {
      expect(page.text).toContain(`<code>${path.replace(/:(\w+)/g, '{$1}')}</code>`)
    }
    const links = [...page.text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id)
    expect(links.filter((id) => !page.text.includes(`id="${id}"`))).toEqual([])
    expect((await app.request('/docs/style.css')).headers.get('content-type')).toContain('text/css')
  })
})
