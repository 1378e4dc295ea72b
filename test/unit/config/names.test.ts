import fc from 'fast-check'
import { expect, test } from 'vitest'
import { itcode, modelName } from '../../../config/values.ts'
import { accountName } from '../../../core/auth/account.ts'
import { ModelName } from '../../../core/models/name.ts'

test('an administrator is named by the rule that holds for every account', () => {
  const isTaken = (name: string) => {
    try {
      return accountName(name)
    } catch {
      return undefined
    }
  }
  const part = fc.constantFrom('a', 'É', 'ﬁ', '張', '１', '.', '+', '-', '_', '@', ' ', '\n', '/', '\u0301')
  const names = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(part).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(names, (name) => {
      // Nobody is named by nothing.
      fc.pre(name.normalize('NFKC').trim() !== '')
      const { data } = itcode.safeParse(name)
      expect(data === undefined ? data : accountName(data)).toBe(isTaken(name))
    }),
  )
})

test('a model is named by the rule that holds for every request', () => {
  const part = fc.constantFrom('a', '*', '\0', '\n', '\u0085', '\u2028', '\ufffd', '模', ' ')
  fc.assert(
    fc.property(fc.array(part, { maxLength: 300 }), (parts) => {
      const name = parts.join('')
      expect(modelName.safeParse(name).success).toBe(ModelName.safeParse(name).success)
    }),
  )
})
