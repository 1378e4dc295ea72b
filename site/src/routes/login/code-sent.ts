/** To whom a code is on its way: this tab knows it also after it was loaded again. */
export interface CodeSent {
  account: string
  /** When, in ms. */
  at: number
  /** How long it is good for, where the gateway said so. */
  minutes: number | undefined
}

const STORED = 'code-sent'
/** The gateway sends no second code sooner. */
const RESEND_MS = 60_000
/** A code that was sent is worth asking for as long as this. */
const WORTH_MS = 10 * 60_000

export function remember(sent: CodeSent | undefined) {
  if (sent) sessionStorage.setItem(STORED, JSON.stringify(sent))
  else sessionStorage.removeItem(STORED)
}

export function recall(now = Date.now()): CodeSent | undefined {
  const { account, at, minutes } = parse(sessionStorage.getItem(STORED) ?? '{}')
  if (typeof account !== 'string' || typeof at !== 'number') return undefined
  const sent = { account, at, minutes: typeof minutes === 'number' ? minutes : undefined }
  const worth = sent.minutes === undefined ? WORTH_MS : sent.minutes * 60_000
  return now - at < worth ? sent : undefined
}

function parse(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}

/** Seconds until another code may be asked for. */
export function secondsLeft({ at }: CodeSent, now = Date.now()): number {
  return Math.max(0, Math.ceil((at + RESEND_MS - now) / 1_000))
}

/** Whether a wait is that for a code that is on its way already, not one for having asked too often. */
export function isOnItsWay(waitSeconds: number | undefined): boolean {
  return waitSeconds !== undefined && waitSeconds * 1_000 <= RESEND_MS
}
