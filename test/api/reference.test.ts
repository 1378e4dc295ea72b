import { createConfig, lintFromString } from '@redocly/openapi-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { functions } from '../../functions/table.ts'
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
    // Some routes are open to anyone and take nothing: there is nothing to refuse. Others only lead elsewhere.
    const rules = { 'operation-4xx-response': 'off', 'operation-2xx-response': 'off' } as const
    const config = await createConfig({ extends: ['recommended'], rules })
    const problems = await lintFromString({ source: text, absoluteRef: 'openapi.json', config })
    expect(
      problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`),
    ).toEqual([])
  })

  test('is of the version that runs, as is the answer about the process', async () => {
    const { body } = await app.request('/openapi.json')
    const { headers, text } = await app.request('/healthz')
    expect([body.info.version, headers.get('x-gateway-version'), text]).toEqual(['1.2.3', '1.2.3', 'ok'])
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

  test.each([
    ['get', '/healthz', []],
    ['get', '/api/keys', [401, 429, 503]],
    ['post', '/api/keys', [400, 401, 403, 408, 409, 413, 415, 429, 503]],
    ['put', '/api/keys/{id}/disable', [401, 403, 404, 415, 429, 503]],
    ['get', '/admin/api/users', [400, 401, 403, 429, 503]],
    ['put', '/admin/api/users/{id}', [400, 401, 403, 404, 408, 409, 413, 415, 429, 503]],
    ['post', '/api/auth/login', [400, 401, 403, 408, 413, 415, 429, 503]],
    ['get', '/v1/models', [400, 401, 403, 529]],
    ['post', '/v1/messages', [400, 401, 403, 404, 408, 413, 415, 429, 500, 502, 503, 504, 529]],
    ['get', '/readyz', [503]],
    ['post', '/v1/chat/completions', [400, 401, 403, 404, 408, 413, 415, 429, 500, 502, 503, 504]],
  ])('names the errors of %s %s and no others', async (method, path, statuses) => {
    const { body } = await app.request('/openapi.json')
    const { responses } = body.paths[path][method]
    expect(Object.keys(responses).map(Number).slice(1)).toEqual(statuses)
  })

  test.each([
    ['/api/auth/login', 'Error401', ['error', 'request_id']],
    ['/v1/messages', 'ProxyError401', ['type', 'error', 'request_id']],
    ['/v1/responses', 'OpenAiError401', ['error']],
  ])('shows errors of %s in the form that they come in', async (path, name, fields) => {
    const { body } = await app.request('/openapi.json')
    expect(body.paths[path].post.responses[401]).toEqual({ $ref: `#/components/responses/${name}` })
    const { schema } = body.components.responses[name].content['application/json']
    expect(schema.required).toEqual(fields)
    const answer = await app.request(path, { method: 'POST', headers: { 'x-api-key': 'sk-unknown' } })
    expect(Object.keys(answer.body)).toEqual(expect.arrayContaining(fields))
  })

  test('is a page that loads nothing from outside and runs nothing', async () => {
    const page = await app.request('/openapi')
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
    expect((await app.request('/openapi/style.css')).headers.get('content-type')).toContain('text/css')
  })

  test('tells every metric', async () => {
    const { text } = await app.request('/openapi')
    expect(text).toContain('<code>gen_ai_server_time_to_first_token_seconds</code> histogram')
    expect(text).toContain('<code>claude_gateway_errors_total</code> counter')
  })
})
