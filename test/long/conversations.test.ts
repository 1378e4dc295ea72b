import { expect, test } from 'vitest'
import { playConversations } from '../support/conversations.ts'

test('of ten thousand conversations that name what is in one account, none lands in another', async () => {
  const { answered, refused, wrong } = await playConversations(10_000)
  console.log({ answered, refused, wrong: wrong.length })
  expect(wrong).toEqual([])
  expect(answered).toBeGreaterThan(20_000)
})
