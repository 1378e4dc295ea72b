/** The refusal that something was refused with, for tests that look into it. */
import { Refusal } from '../../core/errors.ts'

export function refusalFrom(work: () => unknown): Refusal {
  try {
    work()
  } catch (cause) {
    if (cause instanceof Refusal) return cause
    throw cause
  }
  throw new Error('nothing was refused')
}

export async function refusalOf(work: Promise<unknown>): Promise<Refusal> {
  const outcome = await work.then(
    () => new Error('nothing was refused'),
    (cause) => cause,
  )
  return refusalFrom(() => {
    throw outcome
  })
}
