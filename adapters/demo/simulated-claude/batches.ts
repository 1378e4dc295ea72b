/** Message batches of a simulated account. What ends a request differently is written in its text: [errored] or [expired]. */
import * as z from 'zod'
import { invalid, notFound } from './fault.ts'
import { idOf } from './ids.ts'
import type { Asking } from './uploads.ts'

interface Batch {
  id: string
  requests: { custom_id: string; params: Record<string, unknown> }[]
  createdAt: number
  cancelledAt: number | undefined
  /** Made at its end. */
  results: object[] | undefined
}

const Body = z.looseObject({
  requests: z
    .array(
      z.looseObject({
        custom_id: z.string().regex(/^[\w-]{1,64}$/),
        params: z.record(z.string(), z.unknown()),
      }),
    )
    .min(1),
})
const LIFE_MS = 86_400_000

export interface Batches {
  /** Undefined for an address that is not one of batches. `messageFor` answers one request, or throws a Fault. */
  answer(asking: Asking, messageFor: (params: object) => object): Promise<object | string | undefined>
  /** For tests: while false none ends. */
  running: boolean
}

/** `tookMs`: how long each takes. */
export function createBatches(tookMs: () => number): Batches {
  const all = new Map<string, Batch>()
  const isOver = ({ createdAt, cancelledAt }: Batch) =>
    batches.running && Date.now() >= (cancelledAt ?? createdAt) + tookMs()

  function endedOne(batch: Batch, messageFor: (params: object) => object): Batch {
    if (batch.results || !isOver(batch)) return batch
    const cancelled = batch.cancelledAt !== undefined
    batch.results = batch.requests.map(({ custom_id, params }) => {
      return { custom_id, result: cancelled ? { type: 'canceled' } : resultOf(params, messageFor) }
    })
    return batch
  }
  const batches: Batches = {
    running: true,
    async answer({ method, pathname, query, body }, messageFor) {
      const [, id, action] =
        /^\/v1\/messages\/batches(?:\/([^/]+))?(?:\/(cancel|results))?$/.exec(pathname) ?? []
      if (!pathname.startsWith('/v1/messages/batches')) return undefined
      if (id === undefined) {
        if (method === 'POST') {
          const made = batchOf((await body()).toString())
          all.set(made.id, made)
          return shown(made)
        }
        const limit = Number(query.get('limit') ?? 20)
        const data = [...all.values()]
          .reverse()
          .slice(0, limit)
          .map((one) => shown(endedOne(one, messageFor)))
        return {
          data,
          has_more: all.size > limit,
          first_id: data[0]?.id ?? null,
          last_id: data.at(-1)?.id ?? null,
        }
      }
      const found = all.get(id)
      if (!found) throw notFound(`Batch not found: ${id}`)
      const batch = endedOne(found, messageFor)
      if (action === 'results') {
        if (!batch.results) throw invalid('The batch has not ended yet')
        return batch.results.map((line) => `${JSON.stringify(line)}\n`).join('')
      }
      if (action === 'cancel') batch.cancelledAt ??= Date.now()
      if (method === 'DELETE') {
        if (!batch.results) throw invalid('The batch is still being processed: cancel it first')
        all.delete(id)
        return { id, type: 'message_batch_deleted' }
      }
      return shown(endedOne(batch, messageFor))
    },
  }
  return batches
}

function batchOf(text: string): Batch {
  const { requests } = parsed(text)
  if (new Set(requests.map(({ custom_id }) => custom_id)).size < requests.length) {
    throw invalid('requests: custom_id must be unique')
  }
  const id = idOf('msgbatch')
  return { id, requests, createdAt: Date.now(), cancelledAt: undefined, results: undefined }
}

function parsed(text: string) {
  try {
    return Body.parse(JSON.parse(text))
  } catch {
    throw invalid('requests: Invalid')
  }
}

function resultOf(params: object, messageFor: (params: object) => object): object {
  const text = JSON.stringify(params)
  if (text.includes('[expired]')) return { type: 'expired' }
  try {
    if (text.includes('[errored]')) throw new Error('as it was asked for')
    return { type: 'succeeded', message: messageFor(params) }
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : ''
    return {
      type: 'errored',
      error: { type: 'error', error: { type: 'invalid_request_error', message }, request_id: idOf('req') },
    }
  }
}

function shown({ id, requests, createdAt, cancelledAt, results }: Batch) {
  const count = (type: string) =>
    (results ?? []).filter((line) => JSON.stringify(line).includes(`"result":{"type":"${type}"`)).length
  return {
    id,
    type: 'message_batch',
    processing_status: results ? 'ended' : cancelledAt === undefined ? 'in_progress' : 'canceling',
    request_counts: {
      processing: results ? 0 : requests.length,
      succeeded: count('succeeded'),
      errored: count('errored'),
      canceled: count('canceled'),
      expired: count('expired'),
    },
    ended_at: results ? new Date().toISOString() : null,
    created_at: new Date(createdAt).toISOString(),
    expires_at: new Date(createdAt + LIFE_MS).toISOString(),
    archived_at: null,
    cancel_initiated_at: cancelledAt === undefined ? null : new Date(cancelledAt).toISOString(),
    // A real one names its own host, which no gateway may follow.
    results_url: results ? `https://api.anthropic.com/v1/messages/batches/${id}/results` : null,
  }
}
