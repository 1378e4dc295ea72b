import { describe, expect, test } from 'vitest'
import { matches, matchesAny } from '../../core/glob.ts'

describe('a pattern', () => {
  test.each([
    ['claude-opus-5-5', 'claude-opus-5-5', true],
    ['claude-opus-5-5', 'Claude-Opus-5-5', true],
    ['claude-opus-5-5', 'claude-opus-5-5-fast', false],
    ['claude-opus-5-5', 'a-claude-opus-5-5', false],
    ['*', '', true],
    ['*', 'anything', true],
    ['claude-*', 'claude-', true],
    ['claude-*', 'claude', false],
    ['*-opus-*', 'claude-opus-5', true],
    ['*-opus-*', 'claude-sonnet-5', false],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'axxbxxc', true],
    ['a*b*c', 'acb', false],
    // One character is not both the beginning and the end.
    ['ab*ba', 'aba', false],
    ['ab*ba', 'abba', true],
    ['a*b*b', 'ab', false],
    ['a**b', 'ab', true],
    // No character but the star means anything.
    ['claude.opus', 'claude-opus', false],
    ['[a-z]', 'a', false],
  ])('%s and %s: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected)
  })

  test('of a list one is enough, and none matches for an empty list', () => {
    expect(matchesAny(['b', 'a*'], 'abc')).toBe(true)
    expect(matchesAny([], 'abc')).toBe(false)
  })

  test('costs no more than its length times that of the text', () => {
    const text = `${'a'.repeat(5_000)}b`
    expect(matches(`${'*a'.repeat(2_000)}*c`, text)).toBe(false)
  })
})
