/** Decides many in one request, says what became of each, and offers to take it back for a while. */
import { ApiError } from '../api/client.ts'
import { api, type Decision, type QueueItem } from '../api/index.ts'
import { t } from '../i18n/index.svelte.ts'
import { toast } from '../toasts.svelte.ts'

type Ref = Pick<QueueItem, 'kind' | 'id'>
type Outcome = Awaited<ReturnType<typeof api.decideMany>>['outcomes'][number]

export async function decideAll(
  items: readonly QueueItem[],
  { status, note = '' }: Decision,
  onchange: () => Promise<unknown>,
) {
  const { outcomes } = await api.decideMany({ status, note, items: refsOf(items) })
  const done = outcomes.filter(({ error }) => error === null)
  const text = t(status === 'approved' ? 'queue.approved' : 'queue.declined', { n: done.length })
  if (done.length > 0) toast.undoable(text, () => takeBack(done, onchange))
  complain(outcomes)
  await onchange()
}

export async function takeBack(items: readonly Ref[], onchange: () => Promise<unknown>) {
  const { outcomes } = await api.reopenMany(refsOf(items))
  const done = outcomes.filter(({ error }) => error === null)
  if (done.length > 0) toast.good(t('queue.undone', { n: done.length }))
  complain(outcomes)
  await onchange()
}

/** The first reason stands for all. */
function complain(outcomes: readonly Outcome[]) {
  const failed = outcomes.flatMap(({ error }) => error ?? [])
  const [first] = failed
  if (!first) return
  const cause = new ApiError(first.message, { status: 0, code: first.code })
  toast.bad(cause, { conflict: 'error.conflict.decided' })
}

const refsOf = (items: readonly Ref[]) => items.map(({ kind, id }) => ({ kind, id }))
