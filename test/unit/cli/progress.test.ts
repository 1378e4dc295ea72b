import { describe, expect, test } from 'vitest'
import { createProgress } from '../../../adapters/cli/progress.ts'

/** What is written while 25 s pass, a step in every second. */
function written(isTTY: boolean, total?: number) {
  let now = 0
  const out: string[] = []
  const progress = createProgress(
    'Copying',
    'MB',
    { isTTY, write: (text) => out.push(String(text)) > 0 },
    () => now,
  )
  for (let second = 1; second <= 25; second++) {
    now = second * 1_000
    progress.at(second * 100, total)
  }
  progress.end()
  return out
}

describe('long work shows how far it is', () => {
  test('in a log, by a line every ten seconds', () => {
    expect(written(false, 2_500)).toEqual([
      'Copying: 1,000 of 2,500 MB (40 %)\n',
      'Copying: 2,000 of 2,500 MB (80 %)\n',
    ])
    expect(written(false)[0]).toBe('Copying: 1,000 MB\n')
  })

  test('on a terminal, by one line that changes and goes away', () => {
    const all = written(true, 2_500)
    expect(all).toHaveLength(26)
    expect(all[1]).toBe('\rCopying: 200 of 2,500 MB (8 %)')
    expect(all.join('')).not.toContain('\n')
    expect(all.at(-1)).toMatch(/^\r +\r$/)
  })
})
