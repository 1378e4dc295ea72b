/** Every model of the backends with a user's access to it: what they may use or ask for. */
import { and, eq } from 'drizzle-orm'
import { applications, grants } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import { modelsFor } from '../organisation/models.ts'
import type { Access } from '../settings.ts'
import { accessOf } from './access.ts'
import type { ListedModel } from './catalogue.ts'

const NO_GROUPS = { allow: [], deny: [] }
type ModelAccess = 'open' | 'granted' | 'pending' | 'approval' | 'closed'

export interface AvailableModel {
  id: string
  displayName: string
  access: ModelAccess
  /** What everybody has whom no group opens or closes it for. */
  general: Access
  canonical: string
  /** As the upstream lists it. */
  listed: ListedModel
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
  return (await catalogue.models()).map((listed) => {
    const { id, display_name: displayName = id } = listed
    const canonical = prices.canonical(id)
    const general = accessOf(settings, NO_GROUPS, id, canonical)
    return { id, displayName, access: accessFor(id, canonical), general, canonical, listed }
  })
}
