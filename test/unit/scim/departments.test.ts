import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { payingForDepartment } from '../../../core/scim/departments.ts'
import { memoryStore } from '../../support/memory-store.ts'

test('whose department a group is, is looked up by each person, not among all for each of them', async () => {
  const { db, close } = await memoryStore()
  const query = payingForDepartment(db, 'Sales').getSQL()
  const plan = await db.all<{ detail: string }>(sql`explain query plan ${query}`)
  const steps = plan.map(({ detail }) => detail).filter((detail) => detail.includes('scim_users'))
  expect(steps).toEqual(['SEARCH scim_users USING INTEGER PRIMARY KEY (rowid=?)'])
  await close()
})
