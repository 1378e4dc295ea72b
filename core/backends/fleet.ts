/** The port to all backends there are: those of the configuration file, and those that administrators stored. */
import type { MaybePromise } from '../ports.ts'
import type { Backend } from '../settings.ts'
import type { Balancer } from './balancer.ts'
import type { CredentialsOf } from './credentials.ts'

/** Settings in the words of the configuration file, as they were given. */
export type GivenSettings = Readonly<Record<string, unknown>>

export interface ParsedBackend {
  backend: Backend
  credentialsOf: CredentialsOf
  /** Settings that hold no secret, as they were given. */
  open: GivenSettings
  /** Settings that may hold one, as they were given. */
  secrets: GivenSettings
  /** Everything that decides where its secrets go, to be compared. */
  destination: string
  /** URLs that its requests and those for its tokens go to, with the settings that name them. */
  addresses: readonly { field: string; url: string }[]
}

/** A stored backend that is not in force. */
export interface UnusedBackend {
  name: string
  /** A sentence for an administrator. */
  problem: string
}

export interface Fleet {
  /** Names of the backends of the configuration file. */
  readonly fileNames: ReadonlySet<string>
  /** Parses the settings of one backend by the schema of the configuration. Throws a Refusal invalid_input, which names no value. */
  parse(given: GivenSettings): ParsedBackend
  unused(): readonly UnusedBackend[]
  /** Puts in force what is stored now, if it changed. Rejects if the database fails. */
  refresh(): Promise<void>
  /**
   * Has a change hold here at once, where the database answers. Never rejects, because the change is made; the next look finds
   * it. Returns the balancer in force.
   */
  changed(): Promise<Balancer>
  /** Refreshes if the last look was over `maxAgeMs` ago; never rejects. */
  fresh(maxAgeMs: number): MaybePromise<void>
}
