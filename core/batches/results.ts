/** The results of a batch, line by line, and the row that each becomes. */
import * as z from 'zod'
import type { Balancer } from '../backends/balancer.ts'
import { createPieces } from '../bytes.ts'
import { figuresOf } from '../calls/call-figures.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import type { AccountAnswer } from '../files/account.ts'
import { flow } from '../files/relay.ts'
import { boundedJson } from '../json/bounds.ts'
import { billedUsage } from '../metering/billed-usage.ts'
import { createMadeReader } from '../objects/made.ts'
import type { CallRecord, Sink } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import { NOT_BOOKED } from '../record.ts'
import { createStop } from '../stop.ts'
import { type Batch, groupsOf } from './store.ts'
import { modelNamed } from './upstream-names.ts'

/** In bytes: longer lines are those of no answer. */
const LONGEST_LINE = 64 * 1024 * 1024
/** In a row. An account that sends nothing else would never come to an end. */
const MOST_BLANK = 100
const NEWLINE = 0x0a
const Line = z.looseObject({
  custom_id: z.string(),
  result: z.looseObject({
    type: z.string(),
    message: z
      .looseObject({
        model: z.string().catch(''),
        usage: z.record(z.string(), z.unknown()).catch({}),
        stop_reason: z.string().nullish(),
        content: z.array(z.unknown()).catch([]),
      })
      .optional(),
  }),
})

type ResultLine = z.infer<typeof Line>

/** The row of a request that succeeded: at the batch rate of the day on which the batch was made. */
export function recordOf(
  { prices, balancer }: { prices: Prices; balancer: Balancer },
  batch: Batch,
  customId: string,
  message: NonNullable<ResultLine['result']['message']>,
): CallRecord {
  const { usage, stop_reason, content } = message
  const refusedUnserved = stop_reason === 'refusal' && content.length === 0
  const billed = billedUsage(usage, {
    final: true,
    estimatedOutput: 0,
    refusedUnserved,
    servedBy: undefined,
    failed: false,
  })
  const backend = balancer.views().find((view) => view.backend.name === batch.backend)?.backend
  const model = batch.model || modelNamed(message.model, backend)
  const made = createMadeReader(
    { makes: { thread: false, message: false }, createdAt: batch.createdAt },
    false,
  )
  made?.write(new TextEncoder().encode(JSON.stringify(message)))
  const begun = { model, createdAt: batch.createdAt, inputTokens: 0 }
  return {
    ...NOT_BOOKED,
    extra: null,
    promptLosses: [],
    ...figuresOf({ ...billed, batch: true, serviceTier: 'batch' }, begun, prices.of(batch.backend)),
    id: `${batch.id}:${customId}`,
    userId: batch.userId,
    keyId: batch.apiKeyId,
    requestedModel: batch.requestedModel || model,
    model,
    backend: batch.backend,
    statusCode: 200,
    outcome: 'ok',
    stream: false,
    attempts: 1,
    latencyMs: 0,
    ttftMs: null,
    createdAt: batch.createdAt,
    client: batch.client,
    project: batch.project,
    billingGroupIds: groupsOf(batch),
    periodStarts: [batch.day, batch.week, batch.month],
    madeObjects: made?.made() ?? [],
  }
}

/** Throws a Refusal account_unavailable if the answer breaks off, or is silent for too long. */
export async function eachLine(
  parts: Pick<Deps, 'clock' | 'settings'>,
  answer: AccountAnswer,
  take: (line: ResultLine) => Promise<void>,
): Promise<void> {
  const decoder = new TextDecoder()
  /** The line that is being read, as far as it came. */
  const pieces = createPieces()
  let failure: unknown
  /** Lines without anything since the last one that had something. */
  let blank = 0
  async function endLine() {
    const line = decoder.decode(pieces.take())
    blank = line.trim() === '' ? blank + 1 : 0
    if (blank > MOST_BLANK) throw new Error('the results have no lines')
    if (blank > 0) return
    await take(Line.parse(boundedJson(line))).catch((cause) => {
      failure = cause
      throw cause
    })
  }
  function add(piece: Uint8Array) {
    pieces.add(piece)
    if (pieces.size() > LONGEST_LINE) throw new Error('a line of the results is too long')
  }
  try {
    const sink: Sink = {
      async write(chunk) {
        let from = 0
        for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
          add(chunk.subarray(from, at))
          await endLine()
          from = at + 1
        }
        add(chunk.subarray(from))
      },
    }
    await flow(parts, answer, { sink, signal: createStop().signal })
    if (pieces.size() > 0) await endLine()
  } catch {
    if (failure && !(failure instanceof SyntaxError) && !(failure instanceof z.ZodError)) throw failure
    throw new Refusal('account_unavailable', 'The results of this batch broke off.')
  }
}
