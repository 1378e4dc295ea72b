/** The figures of one process, and how those of all are had. */
import * as z from 'zod'
import { SHOWN_STATES } from '../backends/view.ts'
import type { Series } from './series.ts'

const count = z.number()
const Sums = z.object({
  calls: count,
  failed: count,
  input: count,
  output: count,
  cacheRead: count,
  cacheWrite: count,
  costMicros: count,
})

/** What a process does at the moment. */
export const LiveState = z.object({
  callsInFlight: count,
  recent: z.object({ tenSeconds: Sums, minute: Sums }),
  backends: z.array(z.object({ name: z.string(), state: z.enum(SHOWN_STATES), inFlight: count })),
})
export type LiveState = z.infer<typeof LiveState>

/** All processes that serve on one port; often there is one. Both reject if the others cannot be asked. */
export interface Processes {
  figures(): Promise<readonly Series[]>
  /** One state for each process. */
  live(): Promise<readonly LiveState[]>
}
