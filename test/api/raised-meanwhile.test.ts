/** An approval takes nothing away, also where somebody raises the limit while it is decided. */
import { expect, test } from 'vitest'
import type { Db } from '../../core/ports.ts'
import { startApp } from '../support/app.ts'
import { memoryStore } from '../support/memory-store.ts'

test.each([
  ['lower than that is refused', 100, 400, 100],
  ['higher than that is given', 20, 200, 50],
])(
  'a limit is raised between what is read and what is written: a request %s',
  async (_, raised, status, left) => {
    const { db, close } = await memoryStore()
    let meanwhile: (() => Promise<unknown>) | undefined
    const racing: Db = new Proxy(db, {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (name !== 'batch') return typeof value === 'function' ? value.bind(target) : value
        return async (statements: unknown) => {
          const first = meanwhile
          meanwhile = undefined
          await first?.()
          return value.call(target, statements)
        }
      },
    })
    const app = await startApp({}, { db: racing, close })
    const [boss, ann] = [await app.signIn('boss', 'admin'), await app.signIn('ann')]
    const limit = { scope: 'user', scope_id: ann.id, period: 'monthly' }
    await boss.put('/admin/api/limits', { ...limit, amount_usd: 10 })
    const asked = await ann.post('/api/requests', { period: 'monthly', amount_usd: 50, reason: 'more' })
    meanwhile = () => boss.put('/admin/api/limits', { ...limit, amount_usd: raised })
    const decided = await boss.put(`/api/queue/requests/${asked.body.request.id}`, { status: 'approved' })
    expect(decided.status).toBe(status)
    expect((await ann.get('/api/limits')).body.caps).toMatchObject([{ period: 'monthly', amount_usd: left }])
    await app.close()
  },
)
