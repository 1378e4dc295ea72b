/** Calls of the gateway's own in the usage log, because they cost money like all others. */
import { GATEWAY_CLIENT } from '../calls/client.ts'
import { requestId } from '../ids.ts'
import type { Periods } from '../limits/period.ts'
import { OPENAI_ANSWERS } from '../metering/openai.ts'
import { NO_TOKENS } from '../metering/tokens.ts'
import { createWholeMeter } from '../metering/whole-answer.ts'
import type { Ledger } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import { type CallRecord, NOT_BOOKED } from '../record.ts'
import { GATEWAY_ID } from '../reports/gateway-calls.ts'
import type { Backend } from '../settings.ts'

export interface OwnCall {
  backend: Backend
  model: string
  /** ms since 1970. */
  createdAt: number
  latencyMs: number
  /** 0 where nothing answered. */
  status: number
  /** The answer, if it was served. */
  body: Uint8Array | undefined
}

export interface BookParts {
  ledger: Pick<Ledger, 'settle' | 'respent'>
  periods: Periods
  prices: Prices
  waitUntil(work: Promise<unknown>): void
}

/** `userId`: who wanted it; GATEWAY_ID for nobody. What nothing answered is not booked. */
export function bookOwnCall(parts: BookParts, call: OwnCall, userId: number): void {
  if (call.status === 0) return
  const record = ownRecord(parts, call, userId)
  // Counters in memory know no call that reserved nothing, but its row is among what the database counts.
  for (const work of [parts.ledger.settle(record), parts.ledger.respent(record)]) {
    if (work) parts.waitUntil(work)
  }
}

export function ownRecord(
  { periods, prices }: Pick<BookParts, 'periods' | 'prices'>,
  { backend, model, createdAt, latencyMs, status, body }: OwnCall,
  userId: number,
): CallRecord {
  const meter = createWholeMeter(backend.speaksOpenAi ? OPENAI_ANSWERS : undefined)
  if (body) meter.write(body)
  const metered = body && meter.usage()
  const tokens = metered?.parts[0]?.tokens ?? NO_TOKENS
  const price = metered
    ? prices.of(backend.name).cost(metered, model, createdAt)
    : { costMicros: 0, unpriced: false }
  return {
    ...NOT_BOOKED,
    id: requestId(createdAt),
    userId,
    keyId: GATEWAY_ID,
    requestedModel: model,
    model,
    backend: backend.name,
    inputTokens: tokens.input,
    outputTokens: tokens.output,
    cacheReadTokens: tokens.cacheRead,
    cacheWrite5mTokens: tokens.cacheWrite5m,
    cacheWrite1hTokens: tokens.cacheWrite1h,
    ...price,
    statusCode: status,
    outcome: body ? 'ok' : 'error',
    estimated: metered?.estimated ?? false,
    stream: false,
    attempts: 1,
    latencyMs: Math.round(latencyMs),
    ttftMs: null,
    extra: null,
    promptLosses: [],
    client: GATEWAY_CLIENT,
    periodStarts: periods.startsAt(createdAt),
    createdAt,
  }
}
