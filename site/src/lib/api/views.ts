/** Routes about saved views of a page. */
import type * as z from 'zod'
import type { ViewAnswer, ViewsView } from '../../../../functions/saved-views.ts'
import { del, get, post, put } from './client.ts'

export type Views = z.infer<typeof ViewsView>
export type SavedView = Views['views'][number]
type Answer = z.infer<typeof ViewAnswer>

const PATH = '/api/views'

export const viewsApi = {
  of: (page: SavedView['page']) => get<Views>(PATH, { page }),
  create: (view: Omit<SavedView, 'id'>) => post<Answer>(PATH, view),
  change: (id: number, change: Partial<Omit<SavedView, 'id' | 'page'>>) =>
    put<Answer>(`${PATH}/${id}`, change),
  remove: (id: number) => del(`${PATH}/${id}`),
}
