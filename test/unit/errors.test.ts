import { describe, expect, test } from 'vitest'
import { asRefusal, REFUSALS, Refusal, type RefusalCode } from '../../core/errors.ts'
import { refusalAsOpenAi } from '../../core/openai/errors.ts'

const CODES = Object.keys(REFUSALS) as RefusalCode[] // it has no other keys

describe('refusals', () => {
  test('have one status, type and advice each, in both interfaces', () => {
    const table = CODES.map((code) => {
      const refusal = new Refusal(code, 'm')
      const { status, error } = refusalAsOpenAi(refusal, refusal.type)
      return `${code}: ${refusal.status} ${refusal.type}, retry ${refusal.retry}; OpenAI ${status} ${error.type} ${error.code}`
    })
    expect(table).toMatchSnapshot()
  })

  test('of what nobody expected tell the caller nothing', () => {
    const refusal = asRefusal(new Error('password is hunter2'))
    expect(refusal.code).toBe('internal')
    expect(refusal.message).not.toContain('hunter2')
    expect(String(refusal.cause)).toContain('hunter2')
    expect(asRefusal(refusal)).toBe(refusal)
  })
})
