import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'

let here: SimulatedClaude
let elsewhere: SimulatedClaude
beforeAll(async () => {
  here = await startSimulatedClaude({ pace: 0 })
  elsewhere = await startSimulatedClaude({ pace: 0 })
})
afterAll(async () => {
  await here.stop()
  await elsewhere.stop()
})

const CODE = { tools: [{ type: 'code_execution_20250825', name: 'code_execution' }] }
const user = (content: unknown) => ({ messages: [{ role: 'user', content }] })
const document = (file_id: string) => user([{ type: 'document', source: { type: 'file', file_id } }])
async function ask(claude: SimulatedClaude, members: object, path = '/v1/messages') {
  const body = { model: 'claude-opus-5-5', max_tokens: 500, ...user('make a file'), ...members }
  const headers = { 'x-api-key': 'sim-test', 'content-type': 'application/json' }
  const answer = await fetch(claude.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: answer.status, text: await answer.text() }
}
const idIn = (text: string, prefix: string) => new RegExp(`\\b${prefix}_sim\\w+`).exec(text)?.[0] ?? ''

test.each([false, true])('an account takes what it made, and only that (streamed: %s)', async (stream) => {
  const made = await ask(here, { ...CODE, thread: { type: 'create' }, stream })
  const container = idIn(made.text, 'container')
  const naming = [
    ['container', { container }],
    ['container', { container: { id: container } }],
    ['file', document(idIn(made.text, 'file'))],
    ['thread', { thread: { type: 'continue', previous_message_id: idIn(made.text, 'msg') } }],
  ] as const
  for (const [kind, members] of naming) {
    expect((await ask(here, members)).status).toBe(200)
    const missing = await ask(elsewhere, members)
    expect([missing.status, missing.text]).toEqual([404, expect.stringContaining(`${kind} not found: `)])
    expect((await ask(elsewhere, members, '/v1/messages/count_tokens')).status).toBe(404)
  }
})

test('a thread goes on with the tools and the call before it, of which the request says nothing', async () => {
  const tools = [
    { name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } },
  ]
  const { text } = await ask(here, { tools, thread: { type: 'create' }, ...user('weather in Paris') })
  const result = { type: 'tool_result', tool_use_id: idIn(text, 'toolu'), content: 'sunny' }
  const thread = { type: 'continue', previous_message_id: idIn(text, 'msg') }
  const next = await ask(here, { thread, ...user([result]) })
  expect([next.status, next.text]).toEqual([200, expect.stringContaining('sunny')])
})

test('an answer goes on in the container that was named, and is without one where no code runs', async () => {
  const id = here.account.make('container')
  expect(JSON.parse((await ask(here, { container: id })).text).container).toMatchObject({ id, skills: null })
  expect(JSON.parse((await ask(here, {})).text)).not.toHaveProperty('container')
})

test('its ledger tells what came and what did not belong there', async () => {
  const before = { ...elsewhere.account.ledger, foreign: elsewhere.account.ledger.foreign.length }
  await ask(elsewhere, document(elsewhere.account.make('file')))
  await ask(elsewhere, document('file_nowhere'))
  await ask(elsewhere, {})
  const { own, foreign } = elsewhere.account.ledger
  expect([own - before.own, foreign.slice(before.foreign)]).toEqual([
    1,
    [{ kind: 'file', id: 'file_nowhere' }],
  ])
})
