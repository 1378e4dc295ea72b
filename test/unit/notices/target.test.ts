import { afterAll, expect, test } from 'vitest'
import { noticeChannels } from '../../../core/db/schema.ts'
import { channelTarget, encryptedTarget, renewTargets } from '../../../core/notices/target.ts'
import { createSecretBox } from '../../../core/secrets/box.ts'
import { memoryStore } from '../../support/memory-store.ts'

const [OLD, NEW] = ['3f1c5b7e9a2d4c6e8f0a1b3d5c7e9f2a4b6d', '9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a3f2e']
const store = await memoryStore()
afterAll(() => store.close())

test('after a new secrets.key the targets of channels are encrypted anew, once', async () => {
  const { db } = store
  const url = 'https://hooks.test/1'
  const row = {
    kind: 'slack',
    name: 'x',
    host: 'hooks.test',
    events: '[]',
    language: 'en',
    enabled: true,
  } as const
  for (const key of [OLD, 'a-key-that-nobody-has-any-more-000000']) {
    const target = await encryptedTarget(createSecretBox([key]), { url, secret: undefined })
    await db.insert(noticeChannels).values({ ...row, target, createdAt: 1, updatedAt: 1 })
  }
  const parts = { db, secrets: createSecretBox([NEW, OLD]) }
  expect([await renewTargets(parts), await renewTargets(parts)]).toEqual([1, 0])
  const [channel] = await db.select().from(noticeChannels)
  if (!channel) throw new Error('no channel')
  expect(await channelTarget({ db, secrets: createSecretBox([NEW]) }, channel)).toMatchObject({ url })
})
