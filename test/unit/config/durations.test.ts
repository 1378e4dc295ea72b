import { describe, expect, test } from 'vitest'
import { load, MINIMAL, pathsOf } from './settings.ts'

describe('a duration', () => {
  const cooldown = (value: unknown) => load({ ...MINIMAL, health: { cooldown: value } }).health.cooldown

  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1.5s', 1_500],
    [30, 30_000],
    [0.25, 250],
    ['30', 30_000],
    ['3650d', 315_360_000_000],
  ])('%s is %i ms', (value, ms) => expect(cooldown(value)).toBe(ms))

  test.each([
    0,
    -1,
    '-5s',
    '0s',
    '',
    's',
    '5 m',
    '5w',
    '1e3',
    '3651d',
    '9'.repeat(400),
    1e300,
    true,
    [],
    '.5s',
    Number.NaN,
    'Infinity',
    '0.1ms',
  ])('%s is refused', (value) =>
    expect(pathsOf({ ...MINIMAL, health: { cooldown: value } })).toEqual(['health.cooldown']),
  )

  test('that is waited for is no longer than a timer can be', () => {
    expect(pathsOf({ ...MINIMAL, retry: { idle_timeout: '25d' } })).toEqual(['retry.idle_timeout'])
  })

  test('may be 0 where none is a choice', () => {
    const delay = (drain_delay: unknown) => load({ ...MINIMAL, server: { drain_delay } }).server.drain_delay
    expect([0, '0', '0s', '2s'].map(delay)).toEqual([0, 0, 0, 2_000])
    expect(pathsOf({ ...MINIMAL, server: { drain_delay: '-1s', drain_timeout: 0 } })).toEqual([
      'server.drain_delay',
      'server.drain_timeout',
    ])
  })
})
