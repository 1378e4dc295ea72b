import type { Actor } from '../audit/record.ts'

/** What the handler of a report gets, besides deps. It can be copied to another thread. */
export type ReportInput = Readonly<Record<string, unknown>> & { id: string; actor: Actor }

/** Runs the routes that only read the database where they keep no call waiting, however much they read. */
export interface Reports {
  /**
   * The answer of the route with this path. `over` is called when an answer that is a file is finished or broken off. Rejects
   * with a Refusal.
   */
  run(path: string, call: ReportInput, over: () => void): Promise<Response>
}
