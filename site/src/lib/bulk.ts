/** The same for many, a few at a time. */
import { messageOf } from './errors.ts'
import { t } from './i18n/index.svelte.ts'
import { toast } from './toasts.svelte.ts'

const AT_ONCE = 4

/** Those for which it worked, and the first error of the others. */
export async function forEach<R>(
  rows: readonly R[],
  action: (row: R) => Promise<unknown>,
): Promise<{ done: R[]; failed: number; problem: unknown }> {
  const left = [...rows]
  const done: R[] = []
  let problem: unknown
  const work = async () => {
    for (let row = left.shift(); row !== undefined; row = left.shift()) {
      try {
        await action(row)
        done.push(row)
      } catch (cause) {
        problem ??= cause
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return { done, failed: rows.length - done.length, problem }
}

interface Saying<R> {
  done: (n: number) => string
  failed: (n: number) => string
  /** Takes it back; without it that is not offered. */
  undo?: ((row: R) => Promise<unknown>) | undefined
  /** Said when it was taken back. */
  undone?: string
  /** The list is another one now. */
  onchange: () => unknown
}

/** Does the same to all rows, says for how many it worked, and offers for a while to take it back. */
export async function changeMany<R>(
  rows: readonly R[],
  action: (row: R) => Promise<unknown>,
  { done: said, failed: notDone, undo, undone = t('users.bulk.undone'), onchange }: Saying<R>,
): Promise<void> {
  const { done, failed, problem } = await forEach(rows, action)
  if (done.length > 0 && undo) {
    toast.undoable(said(done.length), async () => {
      const back = await forEach(done, undo)
      if (back.failed > 0) toast.told(`${notDone(back.failed)} ${messageOf(back.problem)}`)
      else toast.good(undone)
      onchange()
    })
  } else if (done.length > 0) toast.good(said(done.length))
  if (failed > 0) toast.told(`${notDone(failed)} ${messageOf(problem)}`)
  onchange()
}
