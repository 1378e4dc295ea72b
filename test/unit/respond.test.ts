import { expect, test } from 'vitest'
import type { Reply } from '../../core/ports.ts'
import { endingReply } from '../../functions/respond.ts'

const broken = new Error('broken')
const never = () => {
  throw broken
}
const SINK = { write() {} }

test.each<[string, Reply['pipe'], unknown]>([
  ['is written at once', () => {}, undefined],
  ['is written in time', () => Promise.resolve(), undefined],
  ['fails at once', never, broken],
  ['fails in time', () => Promise.reject(broken), broken],
])('an answer that %s ends once, so that its body no longer counts', async (_, pipe, failure) => {
  let ended = 0
  const reply = endingReply({ status: 200, headers: [], pipe }, () => {
    ended += 1
  })
  expect(ended).toBe(0)
  const flowing = async () => await reply.pipe(SINK)
  expect(await flowing().catch((cause) => cause)).toBe(failure)
  expect(ended).toBe(1)
})
