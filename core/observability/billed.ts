/** Counts what Claude bills, of calls and of batches. */
import type { CallRecord } from '../ports.ts'
import { boundedLabel, closedLabel, type Label } from './labels.ts'
import type { Registry } from './registry.ts'

const TOKEN_CLASSES = ['input', 'output', 'cache_read', 'cache_write_5m', 'cache_write_1h']
type Billed = Pick<
  CallRecord,
  | 'inputTokens'
  | 'outputTokens'
  | 'cacheReadTokens'
  | 'cacheWrite5mTokens'
  | 'cacheWrite1hTokens'
  | 'costMicros'
>
const NOTHING: Billed = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  costMicros: 0,
}
export const MOST_MODELS = 200
export const MOST_BACKENDS = 200

/** `model` is the name under which a model is counted. */
export interface BatchFigures {
  batchMade(backend: string, model: string): void
  batchBooked(record: CallRecord, model: string): void
}

/** What is counted of batches. */
export function createBatchFigures(registry: Registry): BatchFigures {
  const models = boundedLabel(MOST_MODELS)
  const backends = boundedLabel(MOST_BACKENDS)
  const requests = registry.family('claude_gateway.batch.requests', [models, backends])
  const billed = createBilled(registry, 'claude_gateway.batch', models, backends)
  return {
    // Counts that begin with a whole batch have not risen, as Prometheus sees it.
    batchMade(backend, model) {
      requests.add(0, models.id(model), backends.id(backend))
      billed(NOTHING, models.id(model), backends.id(backend))
    },
    batchBooked(record, model) {
      requests.add(1, models.id(model), backends.id(record.backend))
      billed(record, models.id(model), backends.id(record.backend))
    },
  }
}

/** Counts tokens and cost in the metrics `of`; `model` and `backend` are numbers of these labels' values. */
export function createBilled(
  registry: Registry,
  of: 'claude_gateway' | 'claude_gateway.batch',
  models: Label,
  backends: Label,
) {
  const classes = closedLabel(TOKEN_CLASSES)
  const tokens = registry.family(`${of}.tokens`, [models, backends, classes])
  const cost = registry.family(`${of}.cost.usd`, [models, backends])
  return (record: Billed, model: number, backend: number) => {
    tokens.add(record.inputTokens, model, backend, classes.id('input'))
    tokens.add(record.outputTokens, model, backend, classes.id('output'))
    tokens.add(record.cacheReadTokens, model, backend, classes.id('cache_read'))
    tokens.add(record.cacheWrite5mTokens, model, backend, classes.id('cache_write_5m'))
    tokens.add(record.cacheWrite1hTokens, model, backend, classes.id('cache_write_1h'))
    cost.add(record.costMicros / 1_000_000, model, backend)
  }
}
