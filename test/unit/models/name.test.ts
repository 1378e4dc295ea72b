import { describe, expect, test } from 'vitest'
import { comparableName, ModelName, modelNameProblem } from '../../../core/models/name.ts'

const CONTROL = 'control characters are not allowed'
const LONG = 'this is too long for a name'
const EMPTY = 'a non-empty string is required.'

describe('the name of a model', () => {
  test.each(['claude-opus-5-5', 'x', 'gpt 5', '模型', 'x'.repeat(256)])('may be %j', (name) => {
    expect(modelNameProblem(name)).toBeUndefined()
    expect(ModelName.safeParse(name).success).toBe(true)
  })

  test.each([
    ['nothing', '', EMPTY],
    ['no text', 5, EMPTY],
    ['absent', undefined, EMPTY],
    ['longer than 256 characters', 'x'.repeat(257), `${LONG}.`],
    ['of two lines', 'a\nb', `${CONTROL}.`],
    ['ended by a control character', 'ab\u0000', `${CONTROL}.`],
    ['begun by a control character', '\u009fab', `${CONTROL}.`],
    ['of separated lines', 'a\u2028b', `${CONTROL}.`],
    ['not UTF-8', 'a\ufffdb', `${CONTROL}.`],
    ['half a character', 'a\ud800', `${CONTROL}.`],
  ])('may not be %s', (_, name, problem) => {
    expect(modelNameProblem(name)).toBe(problem)
  })

  test.each([
    ['', undefined],
    ['x'.repeat(257), LONG],
    ['a\nb', CONTROL],
    ['a\ud800', CONTROL],
  ])('in forms and the configuration is judged alike: %j', (name, problem) => {
    const { error } = ModelName.safeParse(name)
    expect(error?.issues).toHaveLength(1)
    if (problem !== undefined) expect(error?.issues[0]?.message).toBe(problem)
  })
})

describe('a name as rules compare it', () => {
  test.each([
    ['claude-opus-5-5', 'claude-opus-5-5'],
    ['CLAUDE', 'CLAUDE'],
    [' claude\t', 'claude'],
    ['\uff43laude', 'claude'],
    ['cla\u200bu\u00adde', 'claude'],
    ['claude\u2011opus\u20145', 'claude-opus-5'],
    ['', ''],
  ])('%j is %j', (given, compared) => {
    expect(comparableName(given)).toBe(compared)
  })
})
