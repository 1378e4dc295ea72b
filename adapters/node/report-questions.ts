/** What a server asks the thread of its reports, and what it hears. */
import type { Config } from '../../config/schema.ts'
import type { RefusalCode } from '../../core/errors.ts'
import type { Fields, HeaderPairs, Logger } from '../../core/ports.ts'
import type { ReportInput } from '../../core/reports/reports.ts'

export type Question =
  | { open: { path: string; pragmas: string } }
  /** `config`: where it is another one than of the report before. */
  | { report: { path: string; call: ReportInput; config: Config | undefined } }
  /** The next piece of a file. */
  | { next: number }
  /** Nobody wants the rest of a file. */
  | { drop: number }

export interface Reply {
  answer?: { status: number; headers: HeaderPairs; body: Uint8Array<ArrayBuffer> }
  /** As an answer, whose body is the file with this number. */
  file?: { status: number; headers: HeaderPairs; number: number }
  refusal?: Refused
  /** Absent at the end of a file. */
  piece?: Uint8Array
}

/** A Refusal, with its cause as text. */
export interface Refused {
  code: RefusalCode
  message: string
  cause: string
  retryAfterMs: number | undefined
  headers: HeaderPairs
  fields: Readonly<Record<string, string>> | undefined
}

export interface Notice {
  level: keyof Logger
  event: string
  fields: Fields
}
