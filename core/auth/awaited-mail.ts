/** Mail that a person waits for at a page. */
import type { Clock, Mail, Mailer } from '../ports.ts'

/**
 * The pauses before it is tried again (ms), because a mail server may be busy for a moment. With the time of each try, less than
 * the 30 s that Workers give after an answer.
 */
const PAUSES_MS = [1_000, 5_000]

/** Rejects as the last try. A mail that arrives twice is the same one. */
export async function sendAwaited(
  { mailer, clock }: { mailer: Mailer; clock: Pick<Clock, 'after'> },
  mail: Mail,
): Promise<void> {
  for (const ms of PAUSES_MS) {
    try {
      return await mailer.send(mail)
    } catch {
      await new Promise<void>((resolve) => clock.after(ms, resolve))
    }
  }
  return mailer.send(mail)
}
