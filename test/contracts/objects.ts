/** What exists in one account only: it is found again, and by nobody but its owner. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type AskedRequest, type FakeUpstream, messageJson, sse, startUpstream } from '../support/upstream.ts'

const ACCOUNTS = ['a', 'b', 'c']
const TOOLS = [{ type: 'code_execution_20250825', name: 'code_execution' }]
const JSON_TYPE = { 'content-type': 'application/json' }
const user = (content: unknown) => ({ messages: [{ role: 'user', content }] })
const ask = (members: object) => ({
  model: 'claude-opus-5-5',
  max_tokens: 50,
  ...user(`something new ${crypto.randomUUID()}`),
  ...members,
})
const file = (file_id: string) => user([{ type: 'container_upload', file_id }])

/** Each answer makes a container, a file, and under its id a thread. */
function answering(account: string) {
  let answers = 0
  return ({ body }: AskedRequest) => {
    answers += 1
    const id = `${account}_${answers}`
    const container = { id: `container_${id}`, expires_at: '2099-01-01T00:00:00Z', skills: null }
    const content = [
      {
        type: 'code_execution_tool_result',
        tool_use_id: 't',
        content: {
          type: 'code_execution_result',
          content: [{ type: 'code_execution_output', file_id: `file_${id}` }],
        },
      },
    ]
    const message = { ...JSON.parse(messageJson()), id: `msg_${id}`, container, content }
    if (!body.includes('"stream":true')) return { headers: JSON_TYPE, chunks: [JSON.stringify(message)] }
    const chunks = [
      sse({ type: 'message_start', message: { ...message, container: null, content: [] } }),
      sse({ type: 'content_block_start', index: 0, content_block: content[0] }),
      sse({ type: 'content_block_stop', index: 0 }),
      sse({
        type: 'message_delta',
        delta: { stop_reason: 'end_turn', container },
        usage: { output_tokens: 2 },
      }),
      sse({ type: 'message_stop' }),
    ]
    return { chunks }
  }
}

export function objectsContract({ name, start }: Runtime) {
  describe(`objects of an account on ${name}`, () => {
    let accounts: FakeUpstream[]
    let gateway: Gateway
    /** Of another person. It is made early, as processes look for new keys from time to time. */
    let other: string
    beforeAll(async () => {
      accounts = await Promise.all(ACCOUNTS.map(startUpstream))
      gateway = await start({
        backends: accounts.map(({ url }, i) => ({ name: ACCOUNTS[i] ?? '', url, weight: 1 })),
      })
      other = (await gateway.newKey()).secret
    })
    afterAll(async () => {
      await gateway?.stop()
      for (const account of accounts) await account.stop()
    })
    beforeEach(() => {
      accounts.forEach((account, i) => {
        account.reset()
        account.answer(answering(`${ACCOUNTS[i]}_${crypto.randomUUID().slice(0, 8)}`))
      })
    })
    /** The accounts that were asked since the last time. */
    const asked = () => {
      const names = accounts.flatMap(({ requests }, i) => requests.map(() => ACCOUNTS[i]))
      for (const { requests } of accounts) requests.length = 0
      return names
    }
    /** Ids that an answer made, and the account that gave it. */
    const make = async (members: object) => {
      const answer = await gateway.send(ask(members))
      expect(answer.status).toBe(200)
      const text = await answer.text()
      const found = (pattern: RegExp) => pattern.exec(text)?.[0] ?? ''
      const [account] = asked()
      const ids = {
        container: found(/container_[\w-]+_\d+/),
        file: found(/file_[\w-]+_\d+/),
        message: found(/msg_[\w-]+_\d+/),
      }
      return { account, ...ids }
    }

    test.each([false, true])('lead back to it right after they were made (streamed: %s)', async (stream) => {
      for (let i = 0; i < 6; i++) {
        const {
          account,
          container,
          file: fileId,
          message,
        } = await make({ stream, tools: TOOLS, thread: { type: 'create' } })
        for (const members of [
          { container },
          { container: { id: container, skills: [{ type: 'anthropic', skill_id: 'xlsx' }] } },
          file(fileId),
          { thread: { type: 'continue', previous_message_id: message } },
        ]) {
          const answer = await gateway.send(ask(members))
          expect([answer.status, asked()]).toEqual([200, [account]])
          await answer.body?.cancel()
          const counted = await gateway.send(ask(members), { path: '/v1/messages/count_tokens' })
          expect([counted.status, asked()]).toEqual([200, [account]])
          await counted.body?.cancel()
        }
      }
    })

    test('are refused to everybody else, as are those that nobody made', async () => {
      const { container, file: fileId, message } = await make({ tools: TOOLS, thread: { type: 'create' } })
      const named = (ids: { container: string; fileId: string; message: string }) => ({
        container: { container: ids.container },
        'messages.0.content.0.file_id': file(ids.fileId),
        'thread.previous_message_id': { thread: { type: 'continue', previous_message_id: ids.message } },
      })
      const refused = [
        ...Object.entries(named({ container, fileId, message })).map((entry) => [other, ...entry] as const),
        ...Object.entries(named({ container: 'c', fileId: 'f', message: 'm' })).map(
          (entry) => [gateway.key, ...entry] as const,
        ),
      ]
      for (const [key, path, members] of refused) {
        for (const route of ['/v1/messages', '/v1/messages/count_tokens']) {
          const answer = await gateway.send(ask(members), { key, path: route })
          const body: unknown = await answer.json()
          expect(answer.status).toBe(400)
          // By this code SDKs send the whole conversation again.
          const coded = path.startsWith('thread') ? { details: { error_code: 'thread_not_found' } } : {}
          const message = expect.stringMatching(`^${path}: there is no`)
          expect(body).toMatchObject({ error: { message, ...coded } })
        }
      }
      expect(asked()).toEqual([])
    })

    test('steer by an earlier message, and are never refused for it', async () => {
      const diagnostics = (previous_message_id: string | null) => ({ diagnostics: { previous_message_id } })
      for (let i = 0; i < 6; i++) {
        const { account, message } = await make(diagnostics(null))
        const answer = await gateway.send(ask(diagnostics(message)))
        expect([answer.status, asked()]).toEqual([200, [account]])
        await answer.body?.cancel()
      }
      const unknown = await gateway.send(ask(diagnostics('msg_unknown')))
      expect(unknown.status).toBe(200)
      await unknown.body?.cancel()
    })

    test('are asked for nowhere else while their account is out, and their call says why', async () => {
      const { account, container } = await make({ tools: TOOLS })
      const at = accounts[ACCOUNTS.indexOf(account ?? '')]
      at?.answer({
        status: 529,
        headers: JSON_TYPE,
        chunks: ['{"type":"error","error":{"type":"overloaded_error","message":"x"}}'],
      })
      const answer = await gateway.send(ask({ container }))
      expect([answer.status, asked()]).toEqual([529, [account]])
      await answer.body?.cancel()
    })
  })
}
