/** The objects in a simulated account. As in a real one, requests can name only objects of their own account. */
import * as z from 'zod'
import type { Answer } from './answer.ts'
import type { AskedMessage } from './asked.ts'
import { type Batches, createBatches } from './batches.ts'
import { idOf } from './ids.ts'
import { createThreads, type Threads } from './threads.ts'
import { createUploads, type Uploads } from './uploads.ts'

type Kind = 'container' | 'file' | 'thread'

export interface SimulatedAccount {
  uploads: Uploads
  batches: Batches
  /** How long a batch takes, in ms. */
  batchMs: number
  /** Makes an object as if it were made outside the gateway, and returns its id. */
  make(kind: Kind): string
  /** An object in the request that does not exist in this account. */
  foreign(asked: unknown): { kind: Kind; id: string } | undefined
  /** The container of the answer, a new one if the request names none; undefined without code execution. */
  containerFor(asked: AskedMessage): SimulatedContainer | undefined
  threads: Threads
  /** Stores the message as the end of a thread, if the request asks for one. */
  keepThread(asked: AskedMessage, message: { id: string; answer: Answer }): void
  /** For tests: the number of requests that named objects of this account, and the foreign objects that were named. */
  ledger: { own: number; foreign: { kind: Kind; id: string }[] }
}

export interface SimulatedContainer {
  id: string
  expires_at: string
  skills: null
}

const CONTAINER_LIFE_MS = 20 * 60_000
const CODE_EXECUTION = /^code_execution_/

const id = z.string()
const Named = z.looseObject({
  container: z.union([id, z.looseObject({ id: id.nullish() })]).nullish(),
  thread: z.looseObject({ previous_message_id: id.nullish() }).nullish(),
  messages: z.unknown().optional(),
})

export function createSimulatedAccount(): SimulatedAccount {
  const containers = new Set<string>()
  const threads = createThreads()
  const uploads = createUploads()
  const holds = (kind: Kind, id: string) => {
    if (kind === 'file') return uploads.hasFile(id)
    return kind === 'thread' ? threads.has(id) : containers.has(id)
  }
  const ledger: SimulatedAccount['ledger'] = { own: 0, foreign: [] }
  const make = (kind: Kind) => {
    const made = idOf(kind === 'thread' ? 'msg' : kind)
    if (kind === 'file') uploads.addFile(made)
    else if (kind === 'thread') threads.keep(made)
    else containers.add(made)
    return made
  }
  const account: SimulatedAccount = {
    uploads,
    threads,
    batches: createBatches(() => account.batchMs),
    batchMs: 0,
    ledger,
    make,
    foreign(asked) {
      const named = namedIn(asked)
      const foreign = named.find((one) => !holds(one.kind, one.id))
      if (foreign) ledger.foreign.push(foreign)
      else if (named.length > 0) ledger.own += 1
      return foreign
    },
    containerFor(asked) {
      const named = namedIn(asked).find(({ kind }) => kind === 'container')
      const runsCode = asked.tools?.some(({ type }) => CODE_EXECUTION.test(type ?? ''))
      if (!named && !runsCode) return undefined
      const expires = new Date(Date.now() + CONTAINER_LIFE_MS).toISOString()
      return { id: named?.id ?? make('container'), expires_at: expires, skills: null }
    },
    keepThread(asked, { id, answer }) {
      if (Named.safeParse(asked).data?.thread) threads.keep(id, asked, answer.blocks)
    },
  }
  return account
}

function namedIn(asked: unknown): { kind: Kind; id: string }[] {
  const { container, thread, messages } = Named.safeParse(asked).data ?? {}
  const containerId = typeof container === 'string' ? container : container?.id
  return [
    ...(containerId ? [{ kind: 'container' as const, id: containerId }] : []),
    ...(thread?.previous_message_id ? [{ kind: 'thread' as const, id: thread.previous_message_id }] : []),
    ...filesIn(messages).map((file) => ({ kind: 'file' as const, id: file })),
  ]
}

/** Ids of files that blocks name, except in the input of tools, which a model wrote. */
function filesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key === 'input') return []
    return key === 'file_id' && typeof inner === 'string' ? [inner] : filesIn(inner)
  })
}
