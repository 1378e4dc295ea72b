/** Message batches: half the price, answered within a day. */
import * as z from 'zod'
import { bookBatch } from '../core/batches/book.ts'
import { createBatch } from '../core/batches/create.ts'
import { batchOf } from '../core/batches/store.ts'
import type { KeptAnswer } from '../core/calls/attempt.ts'
import { Refusal } from '../core/errors.ts'
import { wholeReply } from '../core/files/relay.ts'
import { mediaTypeOf } from '../core/http/headers.ts'
import { createScan, type Member, wantedKeys } from '../core/json/scan.ts'
import { spliced } from '../core/json/splice.ts'
import type { Reply } from '../core/ports.ts'
import {
  type AccountCall,
  askOwner,
  assertBetas,
  deletion,
  download,
  ListQuery,
  ListReply,
  listed,
  ownerOf,
  pageReply,
} from './account-calls.ts'
import { route } from './route.ts'

/** As Anthropic: https://platform.claude.com/docs/en/build-with-claude/batch-processing */
const BATCH_BYTES = 256 * 1024 * 1024
const RETRY_MS = 10_000
const RESULTS_URL = wantedKeys({ results_url: 4096 })

const MessageBatch = z.looseObject({ id: z.string() }).meta({ id: 'MessageBatch' })
const BatchRequest = z
  .looseObject({
    requests: z.array(
      z.looseObject({
        custom_id: z.string().regex(/^[\w-]{1,64}$/),
        params: z.looseObject({ model: z.string() }),
      }),
    ),
  })
  .meta({ id: 'BatchRequest' })
const shared = { tier: 'key', dialect: 'anthropic', errors: [404, 503] } as const

export const batches = [
  route({
    ...shared,
    method: 'POST',
    path: '/v1/messages/batches',
    summary:
      'Makes a batch of requests for messages, at half price. What it may cost is reserved until it is booked.',
    accepts: BatchRequest,
    reply: MessageBatch,
    errors: [400, 413, 415, 429, 503],
    async handle(call) {
      if (mediaTypeOf(call.headers) !== 'application/json') {
        throw new Refusal('unsupported_media_type', 'Send a body of the content-type application/json.')
      }
      const { deps, caller, target, headers, id } = call
      const pieces = call.pieces(BATCH_BYTES, true)
      return shown(
        call,
        await createBatch(deps, {
          id,
          caller,
          path: target,
          headers,
          pieces,
          keep: call.keep,
          signal: call.left(),
        }),
      )
    },
  }),
  route({
    ...shared,
    method: 'GET',
    path: '/v1/messages/batches',
    summary: "The caller's batches, the newest first; administrators see everybody's.",
    query: ListQuery,
    reply: ListReply,
    async handle(call) {
      const { page, leftOut } = await listed(call, 'batch', (id) => `/v1/messages/batches/${id}`)
      const data = page.data.map((batch) =>
        batch.results_url ? { ...batch, results_url: resultsOf(call, String(batch.id)) } : batch,
      )
      return pageReply(call, { page: { ...page, data }, leftOut })
    },
  }),
  route({
    ...shared,
    method: 'GET',
    path: '/v1/messages/batches/:id',
    summary: 'One batch: how far it is, and where its results are.',
    reply: MessageBatch,
    handle: async (call) =>
      shown(call, await askOwner(call, await ownerOf(call, 'batch', call.params.id), 'GET')),
  }),
  route({
    ...shared,
    method: 'POST',
    path: '/v1/messages/batches/:id/cancel',
    summary: 'Cancels a batch. What it did until then has results, and is booked.',
    reply: MessageBatch,
    handle: async (call) =>
      shown(call, await askOwner(call, await ownerOf(call, 'batch', call.params.id), 'POST')),
  }),
  route({
    ...shared,
    method: 'GET',
    path: '/v1/messages/batches/:id/results',
    summary: 'The results of a batch that has ended, one a line.',
    produces: ['application/x-jsonl'],
    async handle(call) {
      assertBetas(call)
      const owner = await ownerOf(call, 'batch', call.params.id)
      // What the results name belongs to the caller from here on, so that it is kept before they read it.
      await booked(call, call.params.id)
      return download(call, owner)
    },
  }),
  route({
    ...shared,
    method: 'DELETE',
    path: '/v1/messages/batches/:id',
    summary: 'Deletes a batch that has ended. Its results are booked first: 409 while that is impossible.',
    reply: MessageBatch,
    errors: [404, 409, 503],
    async handle(call) {
      const { id } = call.params
      await ownerOf(call, 'batch', id)
      if ((await booked(call, id)) === 'under_way') {
        const message =
          'The batch is still being processed, and its results have to be booked before it is deleted.'
        throw new Refusal('conflict', message, { retryAfterMs: RETRY_MS })
      }
      return deletion(call, 'batch', id)
    },
  }),
]

/** Undefined for a batch that was not made here. */
async function booked({ deps }: Pick<AccountCall, 'deps'>, id: string) {
  const batch = await batchOf(deps.db, id)
  return batch && bookBatch(deps, batch)
}

function resultsOf({ origin }: Pick<AccountCall, 'origin'>, id: string): string {
  return `${origin()}/v1/messages/batches/${encodeURIComponent(id)}/results`
}

/** A batch as the account tells it, with our own address of its results. */
function shown(call: AccountCall & { params: { id?: string } }, answer: KeptAnswer): Reply {
  let place: Member | undefined
  const scan = createScan(RESULTS_URL, (member) => {
    place = member
  })
  scan.write(answer.body)
  if (!place || place.text === 'null' || answer.status >= 300) return wholeReply(answer, call.id)
  const body = spliced(answer.body, [
    { ...place, text: JSON.stringify(resultsOf(call, call.params.id ?? '')) },
  ])
  const headers = answer.headers.filter(([name]) => name !== 'content-length')
  return wholeReply(
    { ...answer, headers: [...headers, ['content-length', String(body.length)]], body },
    call.id,
  )
}
