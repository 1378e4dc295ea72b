/**
 * Markdown as the guides use it, read into blocks that components show: headings, paragraphs, lists, tables, code. Nothing of a text
 * becomes HTML.
 */
export type Inline =
  | { kind: 'text' | 'code' | 'strong' | 'emphasis'; text: string }
  | { kind: 'link'; text: string; href: string }

export type Block =
  | { kind: 'heading'; level: number; id: string; text: string }
  | { kind: 'paragraph'; content: Inline[] }
  | { kind: 'code'; language: string; text: string }
  | { kind: 'list'; ordered: boolean; items: Inline[][] }
  | { kind: 'table'; head: Inline[][]; rows: Inline[][][] }

/** Code goes first, because nothing in it means anything else. */
const SPAN =
  /`([^`]+)`|\*\*([^*]+)\*\*|\[((?:[^\]`]|`[^`]*`)+)\]\(([^)\s]+)\)|(?<![\w*])[*_]([^*_`\n]+)[*_](?![\w*])/g
const ITEM = /^(?:- |(\d+)\. )/
const FENCE = '```'
/** Also one in an item of a list. */
const isFence = (line: string) => line.trimStart().startsWith(FENCE)

function parseInline(text: string): Inline[] {
  const found: Inline[] = []
  let from = 0
  const plain = (to: number) => {
    if (to > from) found.push({ kind: 'text', text: text.slice(from, to) })
  }
  for (const match of text.matchAll(SPAN)) {
    const [whole, code, strong, label, href, emphasis] = match
    plain(match.index)
    from = match.index + whole.length
    if (code !== undefined) found.push({ kind: 'code', text: code })
    else if (strong !== undefined) found.push({ kind: 'strong', text: strong.replaceAll('`', '') })
    else if (href !== undefined) found.push({ kind: 'link', text: (label ?? '').replaceAll('`', ''), href })
    else found.push({ kind: 'emphasis', text: emphasis ?? '' })
  }
  plain(text.length)
  return found
}

/** Headings get ids of their words, each once. */
export function parseMarkdown(text: string): Block[] {
  const lines = text.split(/\r?\n/)
  const blocks: Block[] = []
  const ids = new Map<string, number>()
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? ''
    // Pictures are of the dashboard, where the reader is.
    if (line.trim() === '' || line.startsWith('![')) at += 1
    else if (isFence(line)) {
      const end = lines.findIndex((one, i) => i > at && isFence(one))
      const to = end < 0 ? lines.length : end
      const indent = line.indexOf(FENCE)
      const text = lines.slice(at + 1, to).map((one) => one.slice(indent))
      blocks.push({ kind: 'code', language: line.slice(indent + 3).trim(), text: text.join('\n') })
      at = to + 1
    } else if (line.startsWith('#')) {
      const [marks = '', ...words] = line.split(' ')
      const title = words.join(' ')
      blocks.push({ kind: 'heading', level: marks.length, id: idOf(title, ids), text: title })
      at += 1
    } else {
      const end = lines.findIndex((one, i) => i > at && (one.trim() === '' || isFence(one)))
      const to = end < 0 ? lines.length : end
      blocks.push(...blocksIn(lines.slice(at, to)))
      at = to
    }
  }
  return blocks
}

function idOf(title: string, ids: Map<string, number>): string {
  const plain = title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '')
  const nth = ids.get(plain) ?? 0
  ids.set(plain, nth + 1)
  return nth === 0 ? plain : `${plain}-${nth + 1}`
}

/** Lines without an empty one between them: a table, or paragraphs and the lists that follow them. */
function blocksIn(lines: readonly string[]): Block[] {
  if (lines[0]?.startsWith('|')) {
    const [head = [], , ...rows] = lines.map(cellsOf)
    return [{ kind: 'table', head, rows }]
  }
  const start = lines.findIndex((line) => ITEM.test(line))
  const before = start < 0 ? lines : lines.slice(0, start)
  const paragraph: Block[] =
    before.length > 0 ? [{ kind: 'paragraph', content: parseInline(before.join(' ')) }] : []
  if (start < 0) return paragraph
  const items: string[][] = []
  for (const line of lines.slice(start)) {
    if (ITEM.test(line)) items.push([line.replace(ITEM, '')])
    else items.at(-1)?.push(line.trim())
  }
  const ordered = ITEM.exec(lines[start] ?? '')?.[1] !== undefined
  return [...paragraph, { kind: 'list', ordered, items: items.map((item) => parseInline(item.join(' '))) }]
}

function cellsOf(line: string): Inline[][] {
  const inner = line.trim().replace(/^\||\|$/g, '')
  return inner.split(/(?<!\\)\|/).map((cell) => parseInline(cell.trim().replaceAll('\\|', '|')))
}

/** What a reader sees of it. */
export function textOf(block: Block): string {
  const plain = (content: readonly Inline[]) => content.map(({ text }) => text).join('')
  switch (block.kind) {
    case 'heading':
    case 'code':
      return block.text
    case 'paragraph':
      return plain(block.content)
    case 'list':
      return block.items.map(plain).join('\n')
    case 'table':
      return [block.head, ...block.rows].map((row) => row.map(plain).join(' ')).join('\n')
  }
}
