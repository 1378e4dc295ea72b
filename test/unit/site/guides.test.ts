/** The guides as the dashboard shows them, and its search. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ALL_FUNCTIONS } from '../../../functions/table.ts'
import { type Block, type Inline, parseMarkdown, textOf } from '../../../site/src/lib/docs/markdown.ts'
import { found, sectionsOf } from '../../../site/src/lib/docs/search.ts'
import { exampleOf, shapesOf, typeOf } from '../../../site/src/lib/docs/shape.ts'

const FOLDER = join(import.meta.dirname, '../../../adapters')
const FILES = [
  'USING-CLAUDE-CODE.md',
  'USING-CLAUDE-CODE.zh-CN.md',
  'CLAUDE-CODE.md',
  'CLAUDE-CODE.zh-CN.md',
  'OPERATION.md',
  'OPERATION.zh-CN.md',
  'OTHER-MODELS.md',
  'OTHER-MODELS.zh-CN.md',
]
const read = (file: string) => parseMarkdown(readFileSync(join(FOLDER, file), 'utf8'))

function inlinesOf(block: Block): Inline[] {
  if (block.kind === 'paragraph') return block.content
  if (block.kind === 'list') return block.items.flat()
  return block.kind === 'table' ? [...block.head, ...block.rows.flat()].flat() : []
}

describe.each(FILES)('%s', (file) => {
  const blocks = read(file)

  test('has nothing left of its marks, and one title', () => {
    const left = blocks
      .flatMap(inlinesOf)
      .filter(({ kind, text }) => kind === 'text' && /`|\*\*|\]\(|^\||^#/.test(text))
    expect(left).toEqual([])
    expect(blocks.filter((block) => block.kind === 'heading' && block.level === 1)).toHaveLength(1)
    const tables = blocks.filter((block) => block.kind === 'table')
    for (const { head, rows } of tables) {
      expect(rows.filter((row) => row.length !== head.length)).toEqual([])
    }
  })

  test('links to what is there', () => {
    const links = blocks.flatMap(inlinesOf).flatMap((part) => (part.kind === 'link' ? [part.href] : []))
    const missing = links.filter((href) => !/^(https:|#)/.test(href) && !existsSync(join(FOLDER, href)))
    const pictures = readFileSync(join(FOLDER, file), 'utf8').matchAll(/^!\[[^\]]+\]\(([^)]+)\)$/gm)
    for (const [, picture = ''] of pictures) if (!existsSync(join(FOLDER, picture))) missing.push(picture)
    expect(missing).toEqual([])
  })
})

test.each(['OPERATION.md', 'OPERATION.zh-CN.md'])(
  '%s names the functions that can be served alone',
  (file) => {
    const code = read(file)
      .flatMap(inlinesOf)
      .flatMap(({ kind, text }) => (kind === 'code' ? [text] : []))
    expect(code).toContain(ALL_FUNCTIONS.join(', '))
  },
)

test('text is read into blocks', () => {
  const text = [
    '# Title',
    'One line,\nand `a|b` **bold** _soft_ x_y_z [a `link`](x.md).',
    'Then:\n- first\n  goes on\n- second',
    '| a | b |\n| - | - |\n| `x` | y \\| z |',
    '```sh\n# no heading\n\nls\n```',
    '## Again\n## Again',
  ].join('\n\n')
  expect(parseMarkdown(text)).toEqual([
    { kind: 'heading', level: 1, id: 'title', text: 'Title' },
    {
      kind: 'paragraph',
      content: [
        { kind: 'text', text: 'One line, and ' },
        { kind: 'code', text: 'a|b' },
        { kind: 'text', text: ' ' },
        { kind: 'strong', text: 'bold' },
        { kind: 'text', text: ' ' },
        { kind: 'emphasis', text: 'soft' },
        { kind: 'text', text: ' x_y_z ' },
        { kind: 'link', text: 'a link', href: 'x.md' },
        { kind: 'text', text: '.' },
      ],
    },
    { kind: 'paragraph', content: [{ kind: 'text', text: 'Then:' }] },
    {
      kind: 'list',
      ordered: false,
      items: [[{ kind: 'text', text: 'first goes on' }], [{ kind: 'text', text: 'second' }]],
    },
    {
      kind: 'table',
      head: [[{ kind: 'text', text: 'a' }], [{ kind: 'text', text: 'b' }]],
      rows: [[[{ kind: 'code', text: 'x' }], [{ kind: 'text', text: 'y | z' }]]],
    },
    { kind: 'code', language: 'sh', text: '# no heading\n\nls' },
    { kind: 'heading', level: 2, id: 'again', text: 'Again' },
    { kind: 'heading', level: 2, id: 'again-2', text: 'Again' },
  ])
})

test('a search finds sections with all words, those that name them in their title first', () => {
  const sections = sectionsOf(read('OPERATION.md'), '/docs/operators', 'For operators')
  const [first] = found(sections, 'backups machines', 5)
  expect(first).toMatchObject({ href: '/docs/operators#backups-and-machines', title: 'Backups and machines' })
  expect(found(sections, 'no-such-word-anywhere', 5)).toEqual([])
  expect(found(sections, '  ', 5)).toEqual([])
  expect(textOf({ kind: 'code', language: '', text: 'x' })).toBe('x')
})

test('a schema is written as a type and as an example', () => {
  const Key = { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] }
  const schema = {
    type: 'object',
    required: ['name', 'keys'],
    properties: {
      name: { type: 'string', description: 'Its name.' },
      keys: { type: 'array', items: { $ref: '#/components/schemas/Key' } },
      until: { anyOf: [{ type: 'string' }, { type: 'null' }] },
      messages: {},
    },
  }
  expect(typeOf(schema)).toBe(
    '{\n  name: string  // Its name.\n  keys: Key[]\n  until?: string | null\n  messages?: any\n}',
  )
  expect(shapesOf(schema, { Key })).toEqual(['Key'])
  expect(exampleOf(schema, { Key })).toEqual({
    name: '…',
    keys: [{ id: 1 }],
    messages: [{ role: 'user', content: 'Hello!' }],
  })
})
