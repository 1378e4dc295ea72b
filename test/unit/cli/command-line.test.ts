import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { choice, command, flag, number, text } from '../../../adapters/cli/command.ts'
import { COMMANDS } from '../../../adapters/cli/commands/all.ts'
import { helpOn, overview } from '../../../adapters/cli/help.ts'
import { printed } from '../../../adapters/cli/output.ts'
import { helpAsked, parse } from '../../../adapters/cli/parse.ts'

const run = async () => undefined
const PAINT = command({
  name: 'wall paint',
  args: ['WALL', '[ROOM]'],
  about: 'paints a wall',
  options: {
    colour: choice(['red', 'blue', 'green'], 'which colour'),
    coats: number('N', 'how many coats', z.int().min(1)),
    note: text('TEXT', 'what to remember'),
    twice: flag('paint it twice'),
  },
  run,
})
const TEAR = command({ name: 'wall tear', args: ['[WALL…]'], about: 'tears walls down', run })
const COMMANDS_OF_WALLS = [PAINT, TEAR, command({ name: 'wall', about: 'lists walls', run })]
const parsed = (...typed: string[]) => parse(COMMANDS_OF_WALLS, typed)

describe('what is typed', () => {
  test('is a command with arguments and checked options, in any order', () => {
    expect(parsed('wall', 'paint', '--coats', '2', 'north', '--colour=red', '--twice')).toMatchObject({
      command: { name: 'wall paint' },
      args: ['north'],
      options: { coats: 2, colour: 'red', twice: true },
      format: 'text',
    })
  })
  test('may begin with options', () => {
    expect(parsed('--coats', '2', '--note=-x', 'wall', 'paint', 'north', '--json')).toMatchObject({
      command: { name: 'wall paint' },
      args: ['north'],
      options: { coats: 2, note: '-x' },
      format: 'json',
    })
  })
  test('is the longest name that fits', () => {
    expect(parsed('wall', '--json')).toMatchObject({ command: { name: 'wall' }, format: 'json' })
  })
  test.each([
    [['wall', 'paint'], 'WALL is missing.'],
    [['wall', 'paint', 'a', 'b', 'c'], '"c" is too much. See: npm run cli -- wall paint --help'],
    [['wall', 'paint', ''], 'WALL: a text is expected.'],
    [['wall', 'paint', 'a', 'b\u001b[31m'], '[ROOM]: a text is expected.'],
    [['wall', 'paint', 'a', '--note', 'b\nc'], /^--note: one line of text is expected\.$/],
    [['wall', 'paint', 'a', '--coats', '0'], /^--coats: at least 1 is expected\.$/],
    [['wall', 'paint', 'a', '--coats', '-5'], /^--coats: at least 1 is expected\.$/],
    [['wall', 'paint', 'a', '--coats', '1.5'], /^--coats: a whole number is expected\.$/],
    [['wall', 'paint', 'a', '--coats', ''], /^--coats: a number is expected\.$/],
    [['wall', 'paint', 'a', '--coats', '--twice'], /^--coats: a value is expected/],
    [['wall', 'paint', 'a', '--colour', 'pink'], '--colour: red, blue or green is expected.'],
    [['wall', 'paint', 'a', '--hue', 'pink'], /'--hue'\. See: npm run cli -- wall paint --help$/],
    [['wall', 'paint', 'a', '--note'], /^--note: a value is expected/],
    [['wall', 'paint', 'a', '--json', '--csv'], 'Choose one of --json and --csv.'],
    [['door', 'open', 'now'], /^"door open" is no command\.\n\nUsage: /],
    [['--twice'], /^A command is expected\.\n\nUsage: /],
    [['door'], /^"door" is no command\.\n\nUsage: .*\n\n {2}wall paint WALL \[ROOM\] {2}paints a wall\n/],
  ])('%j is answered with what to type', (typed, said) => {
    expect(() => parsed(...typed)).toThrow(said)
  })
  test('may be many, or none where an option stands for them', () => {
    expect(parsed('wall', 'tear', 'a', 'b', 'c').args).toEqual(['a', 'b', 'c'])
    expect(parsed('wall', 'tear').args).toEqual([])
  })
  test('may ask for help on a noun', () => {
    expect(helpAsked(COMMANDS_OF_WALLS, ['wall', '--help'])).toBeUndefined()
    expect(helpAsked([PAINT, TEAR], ['wall', '--help'])).toContain('wall paint WALL [ROOM]')
    expect(helpAsked([PAINT], ['wall'])).toBeUndefined()
  })
  test('may ask for help, whatever else is missing', () => {
    const { command, help } = parsed('wall', 'paint', '--help')
    expect([command.name, help]).toEqual(['wall paint', true])
    expect(helpOn(PAINT)).toBe(`Usage: npm run cli -- wall paint WALL [ROOM] [OPTIONS]

Paints a wall.

  --colour red|blue|green  which colour
  --coats N                how many coats
  --note TEXT              what to remember
  --twice                  paint it twice
  --json                   print the answer as JSON
  --csv                    print the answer as CSV
  --help                   say what a command does and takes`)
  })
})

describe('what is printed', () => {
  const rows = [
    { name: 'Ann', cost_usd: 12.5, groups: ['a', 'b'], until: null },
    { name: '小明, =1', cost_usd: 3, groups: [], until: '2027-01-31' },
  ]
  const columns = ['name', 'cost_usd', 'groups', 'until']
  test('is a table for people, with numbers to the right', () => {
    expect(printed({ rows, columns, none: '' }, 'text').out).toBe(
      [
        'name      cost_usd  groups  until',
        '--------  --------  ------  ----------',
        'Ann           12.5  a,b',
        '小明, =1         3          2027-01-31',
      ].join('\n'),
    )
  })
  test('leaves out for people what a terminal has no room for', () => {
    expect(printed({ rows, columns, none: '', wide: ['groups', 'until'] }, 'text').out).toContain(
      'name      cost_usd\n',
    )
    expect(printed({ rows, columns, none: '', wide: ['groups'] }, 'csv').out).toContain(
      'name,cost_usd,groups,until',
    )
  })
  test('is JSON or CSV for programs, also when there is nothing', () => {
    expect(JSON.parse(printed({ rows, columns, none: '' }, 'json').out)).toEqual(rows)
    expect(printed({ rows, columns, none: '' }, 'csv').out).toBe(
      'name,cost_usd,groups,until\r\nAnn,12.5,"a,b",\r\n"小明, =1",3,,2027-01-31',
    )
    expect(printed({ rows: [], columns, none: 'There are none.' }, 'json').out).toBe('[]')
    expect(printed({ rows: [], columns, none: 'There are none.' }, 'csv').out).toBe(
      'name,cost_usd,groups,until',
    )
    expect(printed({ rows: [], columns, none: 'There are none.' }, 'text').out).toBe('There are none.')
  })
  test('is a sentence, or the fields behind it', () => {
    const result = { said: 'Done.', fields: { id: 7 }, note: 'Once.' }
    expect(printed(result, 'text')).toEqual({ out: 'Done.', note: 'Once.' })
    expect(JSON.parse(printed(result, 'json').out)).toEqual({ id: 7 })
    // Its work is done by then: what it answers, such as a secret that is shown once, must not be lost.
    expect(printed({ said: 'sk-1', fields: { id: 7, key: 'sk-1', scopes: ['read'] } }, 'csv').out).toBe(
      'id,key,scopes\r\n7,sk-1,"[""read""]"',
    )
  })
})

describe('all commands', () => {
  test('are listed', () => {
    const text = overview(COMMANDS)
    for (const { name } of COMMANDS) expect(text).toContain(`\n  ${name} `)
  })
  test.each(COMMANDS.map((each) => [each.name, each] as const))('%s has help', (_, each) => {
    expect(helpOn(each)).toMatch(/^Usage: npm run cli -- /)
    for (const [option, { about }] of Object.entries(each.options)) {
      expect(helpOn(each)).toContain(`--${option}`)
      expect(about).toMatch(/^[a-z0-9].*[^.]$/)
    }
  })
})
