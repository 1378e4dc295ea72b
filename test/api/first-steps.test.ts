/** What is said at addresses that nobody has, to clients whose base URL is nearly right. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type App, ORIGIN, startApp } from '../support/app.ts'

const NOTHING = 'There is nothing at this address.'
const OF_THAT_HERE = "Of OpenAI's interfaces, chat completions, responses and models are here."
const OF_CLAUDE = `${ORIGIN} (ANTHROPIC_BASE_URL)`
const OF_OPENAI = `${ORIGIN}/v1 (OPENAI_BASE_URL)`

describe('an address that nobody has', () => {
  let app: App
  beforeAll(async () => {
    app = await startApp()
  })
  afterAll(() => app.close())
  const said = async (path: string, init: RequestInit = {}) => {
    const { status, body } = await app.request(path, { method: 'POST', ...init })
    expect(status).toBe(404)
    return { form: formOf(body), message: body.error.message }
  }
  const formOf = (body: { type?: string; error: object }) =>
    body.type === 'error' ? 'anthropic' : 'param' in body.error ? 'openai' : 'api'

  test.each([
    ['/v1/v1/messages', 'anthropic', '/v1/messages', OF_CLAUDE],
    ['/v1/v1/messages/count_tokens?beta=true', 'anthropic', '/v1/messages/count_tokens', OF_CLAUDE],
    ['/v1/v1/v1/messages', 'anthropic', '/v1/messages', OF_CLAUDE],
    ['//v1/messages', 'anthropic', '/v1/messages', OF_CLAUDE],
    ['/v1//messages', 'anthropic', '/v1/messages', OF_CLAUDE],
    ['/v1/messages/', 'anthropic', '/v1/messages', OF_CLAUDE],
    ['/messages', 'anthropic', '/v1/messages', OF_CLAUDE],
    ['/V1/Messages', 'anthropic', '/v1/messages', OF_CLAUDE],
    ['/anthropic/v1/messages', 'anthropic', '/v1/messages', OF_CLAUDE],
    ['/api/v1/messages', 'anthropic', '/v1/messages', OF_CLAUDE],
    ['/v1/messages/v1/messages', 'anthropic', '/v1/messages', OF_CLAUDE],
    ['/chat/completions', 'openai', '/v1/chat/completions', OF_OPENAI],
    ['/v1/v1/chat/completions', 'openai', '/v1/chat/completions', OF_OPENAI],
    ['/v1/chat/completions/', 'openai', '/v1/chat/completions', OF_OPENAI],
    ['/v1/chat/completions/chat/completions', 'openai', '/v1/chat/completions', OF_OPENAI],
    ['/openai/chat/completions', 'openai', '/v1/chat/completions', OF_OPENAI],
    ['/responses', 'openai', '/v1/responses', OF_OPENAI],
    ['/models', 'anthropic', '/v1/models', `${OF_CLAUDE}, or to ${OF_OPENAI}`],
    ['/v1/v1/models/claude-opus-5-5', 'anthropic', '/v1/models/{id}', `${OF_CLAUDE}, or to ${OF_OPENAI}`],
  ])('%s is answered in the form of %s with the right one', async (path, form, address, base) => {
    expect(await said(path)).toEqual({
      form,
      message: `There is nothing at this address; what you look for is at ${ORIGIN}${address}. Set your client's base URL to ${base}, without a slash at its end.`,
    })
  })

  test.each([
    ['/v1/embeddings', 'openai'],
    ['/v1/vector_stores/vs_1/files', 'openai'],
    ['/v1/threads/t/messages', 'openai'],
    ['/v1/conversations', 'openai'],
    ['/v1/complete', 'anthropic'],
    ['/v1/messages/nothing', 'anthropic'],
    ['/v1', 'anthropic'],
    ['/v1/', 'anthropic'],
    ['/api/nothing', 'api'],
    ['/nothing', 'api'],
    ['/api/messages', 'api'],
    ['/users/v1', 'api'],
  ])('%s is nothing that anybody could mean, in the form of %s', async (path, form) => {
    expect(await said(path)).toEqual({
      form,
      message: form === 'openai' ? `${NOTHING} ${OF_THAT_HERE}` : NOTHING,
    })
  })

  test('is corrected with the address at which a proxy with TLS is reached', async () => {
    const { message } = await said('/v1/v1/messages', { headers: { 'x-forwarded-proto': 'https' } })
    expect(message).toContain('is at https://gateway.test/v1/messages.')
  })

  test('is corrected with the public one where that is known', async () => {
    const named = await startApp({ server: { public_url: 'https://claude.example.com' } })
    const { body } = await named.request('/v1/v1/messages', { method: 'POST' })
    await named.close()
    expect(body.error.message).toContain('is at https://claude.example.com/v1/messages.')
  })
})
