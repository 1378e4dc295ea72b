/**
 * What one attempt at a backend says, and about whom. Every kind of backend maps its answers to this closed union;
 * what it does to health, failover and the caller follows from the verdict alone.
 */

/** `fromNetwork`: this process learned it from its own connection, so it may not hold for other processes. */
export type Verdict =
  /** The backend served the call. */
  | { kind: 'served' }
  /** The backend is well; the answer is the caller's own fault and is handed on unchanged. */
  | { kind: 'callers' }
  /** The backend's address cannot be reached. No caller can cause it. */
  | { kind: 'account_unreachable'; reason: string }
  /** The backend refuses the gateway's credential. */
  | { kind: 'account_refused'; reason: string }
  /** The account has no credit, has reached a spend limit or is on hold. `resetAt` in ms since 1970, if it says when. */
  | { kind: 'account_unpaid'; reason: string; resetAt: number | undefined }
  /** The backend failed with this model. */
  | { kind: 'pair_failed'; reason: string; fromNetwork: boolean }
  /**
   * The backend asks to wait with this model until `untilMs` (ms since 1970). `undefined`: it does not say so, and the
   * refusal may concern one caller only.
   */
  | { kind: 'pair_cooldown'; reason: string; untilMs: number | undefined }
  /** The backend says that it does not offer the model; a check of our own decides whether that holds for everybody. */
  | { kind: 'model_not_offered'; reason: string }
  /** A refusal without the kind's own envelope: a proxy or a firewall spoke. Another backend may serve the call. */
  | { kind: 'foreign'; reason: string }
  /** This machine lacks files, ports, memory or a network. It says nothing about any backend. */
  | { kind: 'ours'; reason: string }

export type Failure = Exclude<Verdict, { kind: 'served' | 'callers' }>

export function isFailure(verdict: Verdict): verdict is Failure {
  return verdict.kind !== 'served' && verdict.kind !== 'callers'
}
