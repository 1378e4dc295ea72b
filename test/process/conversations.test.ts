import { expect, test } from 'vitest'
import { playConversations } from '../support/conversations.ts'

/** Ten thousand of them: npm run test:long. */
test('of a few hundred conversations that name what is in one account, none lands in another', async () => {
  const { answered, wrong } = await playConversations(300)
  expect(wrong).toEqual([])
  expect(answered).toBeGreaterThan(600)
}, 120_000)
