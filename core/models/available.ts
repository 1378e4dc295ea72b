/** Every model of the backends with a user's access to it: what they may use or ask for. */
import { and, eq } from 'drizzle-orm'
import { applications, grants } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import { modelsFor } from '../organisation/models.ts'
import { accessOf } from './access.ts'

type ModelAccess = 'open' | 'granted' | 'pending' | 'approval' | 'closed'

export interface AvailableModel {
  id: string
  displayName: string
  access: ModelAccess
  canonical: string
}

export async function availableModels(
  { db, catalogue, settings, prices }: Pick<Deps, 'db' | 'catalogue' | 'settings' | 'prices'>,
  userId: number,
): Promise<AvailableModel[]> {
  const granted = await db.select({ model: grants.model }).from(grants).where(eq(grants.userId, userId))
  const pending = await db
    .select({ model: applications.model })
    .from(applications)
    .where(and(eq(applications.userId, userId), eq(applications.status, 'pending')))
  const rules = await modelsFor(db, userId)
  const isGranted = new Set(granted.map(({ model }) => model))
  const isPending = new Set(pending.map(({ model }) => prices.canonical(model)))
  const accessFor = (id: string, canonical: string): ModelAccess => {
    const access = accessOf(settings, rules, id, canonical)
    if (access !== 'approval') return access
    if (isGranted.has(canonical) || isGranted.has(id)) return 'granted'
    return isPending.has(canonical) ? 'pending' : 'approval'
  }
  const listed = await catalogue.models()
  return listed.map(({ id, display_name }) => {
    const canonical = prices.canonical(id)
    return { id, displayName: display_name ?? id, access: accessFor(id, canonical), canonical }
  })
}
