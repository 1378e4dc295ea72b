import { expect, test } from 'vitest'
import { createSecretBox } from '../../../core/secrets/box.ts'

const [OLD, NEW] = ['3f1c5b7e9a2d4c6e8f0a1b3d5c7e9f2a4b6d', '9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a3f2e']

test('a sealed secret opens again, and never looks the same twice', async () => {
  const box = createSecretBox([NEW])
  const sealed = await Promise.all([box.seal('tökén', 'identity:7'), box.seal('tökén', 'identity:7')])
  expect(new Set(sealed).size).toBe(2)
  expect(sealed.join()).not.toContain('tökén')
  for (const one of sealed) expect(await box.open(one, 'identity:7')).toBe('tökén')
})

test('a sealed secret does not open for another purpose, changed, or without its key', async () => {
  const box = createSecretBox([NEW])
  const sealed = await box.seal('token', 'identity:7')
  expect(await box.open(sealed, 'identity:8')).toBeUndefined()
  const another = sealed.at(-2) === 'A' ? 'B' : 'A'
  expect(await box.open(sealed.slice(0, -2) + another + sealed.at(-1), 'identity:7')).toBeUndefined()
  expect(await createSecretBox([OLD]).open(sealed, 'identity:7')).toBeUndefined()
  for (const text of ['', 'v1', 'v1...', 'v2.a.b.c', '{}']) expect(await box.open(text, 'x')).toBeUndefined()
})

test('after a rotation the old key opens, the new one seals, and what is stale is told', async () => {
  const before = await createSecretBox([OLD]).seal('token', 'channel:1')
  const box = createSecretBox([NEW, OLD])
  expect(await box.open(before, 'channel:1')).toBe('token')
  expect(await box.isStale(before)).toBe(true)
  const after = await box.seal('token', 'channel:1')
  expect(await box.isStale(after)).toBe(false)
  expect(await createSecretBox([NEW]).open(after, 'channel:1')).toBe('token')
})
