/**
 * Many conversations about containers, files and threads, at a gateway in front of three accounts that take only what is
 * theirs; an account is away for a while, and the gateway starts again. The accounts' own ledgers are the judges.
 */
import { expect } from 'vitest'
import {
  createSimulatedAccount,
  type SimulatedAccount,
} from '../../adapters/demo/simulated-claude/account.ts'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { adoptObject } from '../../core/objects/manage.ts'
import { startGateway, type TestGateway } from './gateway.ts'

const ACCOUNTS = ['a', 'b', 'c'] as const
const KINDS = ['container', 'file', 'thread', 'adopted'] as const
const TOOLS = [{ type: 'code_execution_20250825', name: 'code_execution' }]
const PEOPLE = 5
const AT_ONCE = 16

interface Person {
  secret: string
  userId: number
}
interface Conversation {
  kind: (typeof KINDS)[number]
  person: Person
  stream: boolean
  /** What it names from its second turn on. */
  id: string
  /** Where that is; undefined until an answer told. */
  account: number | undefined
  answered: number
}

export interface Tally {
  conversations: number
  /** Calls that named something and were answered by its account. */
  answered: number
  /** Calls that were refused because its account was away. */
  refused: number
  /** What reached an account that does not have it. */
  wrong: { kind: string; id: string }[]
}

export async function playConversations(count: number): Promise<Tally> {
  const accounts = ACCOUNTS.map(createSimulatedAccount)
  const servers = await Promise.all(accounts.map((account) => startSimulatedClaude({ pace: 0, account })))
  const gateway = await startGateway({
    health: { startup_check: 'off', cooldown: '1s' },
    backends: servers.map(({ url }, i) => ({
      name: ACCOUNTS[i] ?? '',
      url,
      weight: 1,
      api_key: `sim-${ACCOUNTS[i]}`,
    })),
  })
  try {
    return await play(count, { accounts, servers, gateway })
  } finally {
    await gateway.stop()
    for (const server of servers) await server.stop().catch(() => {})
  }
}

interface Stage {
  accounts: SimulatedAccount[]
  servers: SimulatedClaude[]
  gateway: TestGateway
}

async function play(count: number, stage: Stage): Promise<Tally> {
  const { accounts, servers, gateway } = stage
  const people = await Promise.all(Array.from({ length: PEOPLE }, () => gateway.newKey()))
  const isKnown = async () =>
    Promise.all(people.map(async ({ secret }) => (await ask(gateway, secret, {})).status)).then((all) => [
      ...new Set(all),
    ])
  await expect.poll(isKnown).toEqual([200])
  const conversations = Array.from({ length: count }, (_, i): Conversation => {
    const person = people[i % PEOPLE] as Person // i % PEOPLE is a place in it
    const kind = KINDS[Math.floor(i / PEOPLE) % KINDS.length] ?? 'file'
    return { kind, person, stream: i % 3 === 0, id: '', account: undefined, answered: 0 }
  })
  const tally: Tally = { conversations: count, answered: 0, refused: 0, wrong: [] }
  const early = conversations.slice(0, count / 2)
  const late = conversations.slice(count / 2)

  await each(early, (one) => begin(stage, one))
  await each(early, (one) => goOn(stage, one, tally, undefined))

  const [, away] = servers
  const port = Number(new URL(away?.url ?? '').port)
  await away?.stop()
  await each(late, (one) => begin(stage, one, 1))
  await each(conversations, (one) => goOn(stage, one, tally, 1))

  const back = await startSimulatedClaude({ port, pace: 0, account: accounts[1] as SimulatedAccount }) // there are three
  servers[1] = back
  await gateway.restart()
  await isBack(stage, conversations)
  await each(conversations, (one) => goOn(stage, one, tally, undefined))
  tally.wrong = accounts.flatMap(({ ledger }) => ledger.foreign)
  expect(conversations.filter(({ answered }) => answered === 0)).toEqual([])
  return tally
}

/** Makes what the conversation is about; never in the account that is away. */
async function begin({ gateway, accounts }: Stage, one: Conversation, away?: number) {
  const { kind, person, stream } = one
  if (kind === 'adopted') {
    const places = accounts.map((_, i) => i).filter((i) => i !== away)
    one.account = places[Math.floor(Math.random() * places.length)] ?? 0
    one.id = accounts[one.account]?.make('file') ?? ''
    const parts = { db: gateway.db, clock: systemClock, actor: COMMAND_LINE }
    const object = {
      kind: 'file' as const,
      id: one.id,
      backend: ACCOUNTS[one.account] ?? '',
      userId: person.userId,
    }
    return adoptObject(parts, object)
  }
  const members = kind === 'thread' ? { thread: { type: 'create' } } : { tools: TOOLS }
  const answer = await ask(gateway, person.secret, { stream, ...members }, 'make me a file, please')
  const text = await answer.text()
  expect([answer.status, text]).toEqual([200, expect.any(String)])
  const prefix = kind === 'thread' ? 'msg' : kind
  one.id = new RegExp(`\\b${prefix}_sim\\w+`).exec(text)?.[0] ?? ''
}

/** A turn with a new text, which alone could lead anywhere. */
async function goOn({ gateway, accounts }: Stage, one: Conversation, tally: Tally, away: number | undefined) {
  const file = { content: [{ type: 'document', source: { type: 'file', file_id: one.id } }] }
  const members = {
    container: { container: one.id },
    thread: { thread: { type: 'continue', previous_message_id: one.id } },
    file: { messages: [{ role: 'user', ...file }] },
    adopted: { messages: [{ role: 'user', ...file }] },
  }[one.kind]
  const own = accounts.map(({ ledger }) => ledger.own)
  const answer = await ask(gateway, one.person.secret, { stream: one.stream, ...members })
  const text = await answer.text()
  if (answer.status === 200) {
    one.answered += 1
    tally.answered += 1
    expect(accounts.some(({ ledger }, i) => ledger.own > (own[i] ?? 0))).toBe(true)
    if (one.kind === 'thread') one.id = /\bmsg_sim\w+/.exec(text)?.[0] ?? ''
  } else {
    expect([away, answer.status, text]).toEqual([1, expect.toBeOneOf([502, 503, 529]), expect.any(String)])
    tally.refused += 1
  }
}

/** Until what is in the account that was away is answered for again. */
async function isBack(stage: Stage, conversations: readonly Conversation[]) {
  const [adopted] = conversations.filter(({ kind, account }) => kind === 'adopted' && account === 1)
  if (!adopted) return
  const status = async () => {
    const file = [{ type: 'document', source: { type: 'file', file_id: adopted.id } }]
    const answer = await ask(stage.gateway, adopted.person.secret, {
      messages: [{ role: 'user', content: file }],
    })
    await answer.text()
    return answer.status
  }
  await expect.poll(status, { timeout: 20_000 }).toBe(200)
}

function ask({ send }: TestGateway, key: string, members: object, text = 'and now?') {
  const messages = [{ role: 'user', content: `${text} ${crypto.randomUUID()}` }]
  return send({ model: 'claude-opus-5-5', max_tokens: 200, messages, ...members }, { key })
}

async function each(conversations: readonly Conversation[], action: (one: Conversation) => Promise<void>) {
  const rest = conversations.values()
  const work = async () => {
    for (const one of rest) await action(one)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}
