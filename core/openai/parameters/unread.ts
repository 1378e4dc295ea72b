/** Says what of a request is not carried out, by its path: nothing is dropped without a word. */
import { isRecord } from '../../json/is-record.ts'
import { unsupported } from '../request/refuse.ts'
import type { Parameter } from './parameter.ts'

interface Node {
  row?: Parameter
  fields: Map<string, Node>
  /** Of an array: by the type of the element, '' for any. */
  items: Map<string, Node>
}
type Path = (string | number)[]

const MOST_TOLD = 20
const LONGEST_NAME = 60
const newNode = (): Node => ({ fields: new Map(), items: new Map() })

/** A table as a tree, made once. */
export function treeOf(rows: readonly Parameter[]): Node {
  const root = newNode()
  for (const row of rows) {
    let nodes = [root]
    for (const step of row.path.split('.')) {
      const [, name = '', kinds] = /^(\w+)(?:\[(.*)\])?$/.exec(step) ?? []
      nodes = nodes.map(({ fields }) => made(fields, name))
      if (kinds !== undefined)
        nodes = nodes.flatMap(({ items }) => kinds.split('|').map((kind) => made(items, kind)))
    }
    for (const node of nodes) node.row = row
  }
  return root
}

function made(nodes: Map<string, Node>, name: string): Node {
  const node = nodes.get(name) ?? newNode()
  nodes.set(name, node)
  return node
}

/** What is not carried out, each kind once, for x-gateway-warning. Throws a Refusal that names what is refused. */
export function unread(asked: object, tree: Node): string[] {
  const told = new Map<string, { first: string; times: number }>()
  look(asked, tree, [], (path) => {
    const kind = path.filter((step) => typeof step === 'string').join('.')
    const known = told.get(kind)
    if (known) known.times += 1
    else told.set(kind, { first: written(path), times: 1 })
  })
  if (told.size === 0) return []
  const all = [...told.values()].map(({ first, times }) => (times > 1 ? `${first} (${times} times)` : first))
  const rest = all.length > MOST_TOLD ? [`${all.length - MOST_TOLD} more`] : []
  return [`ignored: ${[...all.slice(0, MOST_TOLD), ...rest].join(', ')}`]
}

function look(value: object, { fields }: Node, path: Path, tell: (path: Path) => void) {
  for (const name of Object.keys(value)) {
    const one: unknown = Reflect.get(value, name)
    const node = fields.get(name)
    // Most of a request: what is carried out and has nothing below it.
    if (node?.row?.fate === 'carried' && typeof one !== 'object') continue
    if (saysNothing(one)) continue
    path.push(name)
    if (!node || isLost(node, one, path)) tell(path)
    else if (Array.isArray(one)) {
      if (node.items.size > 0) lookInto(one, node, path, tell)
    } else if (node.fields.size > 0 && isRecord(one)) look(one, node, path, tell)
    path.pop()
  }
}

function lookInto(elements: readonly unknown[], { items }: Node, path: Path, tell: (path: Path) => void) {
  for (const [i, element] of elements.entries()) {
    if (!isRecord(element)) continue
    const kind = kindOf(element)
    const node = items.get(kind) ?? items.get('')
    // An element of a kind that is not carried out is told of or refused where it is read.
    if (!node || node.fields.size === 0) continue
    path.push(i)
    look(element, node, path, tell)
    path.pop()
  }
}

/** The type of an element. Messages may say none; those of the deprecated role have a name that counts. */
function kindOf({ type, role }: Record<string, unknown>): string {
  if (typeof type === 'string') return type
  if (role === undefined) return ''
  return role === 'function' ? role : 'message'
}

function isLost({ row }: Node, value: unknown, path: Path): boolean {
  if (!row || row.fate === 'carried' || row.idle.includes(value)) return false
  if (row.fate === 'refused') throw unsupported(written(path), row.about)
  return true
}

function saysNothing(value: unknown): boolean {
  if (typeof value !== 'object') return value === undefined
  return value === null || Object.keys(value).length === 0
}

function written(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    return text === '' ? step.slice(0, LONGEST_NAME) : `${text}.${step.slice(0, LONGEST_NAME)}`
  }, '')
}
