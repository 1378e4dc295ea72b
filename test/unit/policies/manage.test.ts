import { expect, test } from 'vitest'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { auditEvents } from '../../../core/db/schema.ts'
import { createPolicy, listPolicies, updatePolicy, versionsOf } from '../../../core/policies/manage.ts'
import { fakeClock } from '../../support/clock.ts'
import { memoryStore } from '../../support/memory-store.ts'
import { refusalOf } from '../../support/refusals.ts'

test('who changes a policy that somebody else just changed is told so, and changes nothing', async () => {
  const store = await memoryStore()
  const parts = { db: store.db, clock: fakeClock(), actor: COMMAND_LINE }
  const wanted = { name: 'all', priority: 100, groupIds: [], domains: [], settings: { cleanupPeriodDays: 7 } }
  const { id } = await createPolicy(parts, wanted)
  const [first, second] = await Promise.allSettled([
    updatePolicy(parts, id, { settings: { cleanupPeriodDays: 9 } }),
    updatePolicy(parts, id, { priority: 5 }),
  ])
  expect(first.status).toBe('fulfilled')
  const reason: unknown = second.status === 'rejected' ? second.reason : undefined
  expect(await refusalOf(Promise.reject(reason))).toMatchObject({ code: 'conflict' })
  expect(String(reason)).toContain('Somebody else just changed all')
  expect(await listPolicies(store.db)).toEqual([{ ...wanted, id, settings: { cleanupPeriodDays: 9 } }])
  expect(await versionsOf(store.db, id)).toHaveLength(2)
  expect(await store.db.select().from(auditEvents)).toHaveLength(2)
  store.close()
})
