/** Files and skills of a simulated account. */

import { invalid, notFound } from './fault.ts'
import { idOf } from './ids.ts'

interface Part {
  name: string
  filename: string | undefined
  type: string
  content: Buffer
}
interface StoredFile {
  metadata: {
    id: string
    type: 'file'
    filename: string
    mime_type: string
    size_bytes: number
    created_at: string
    downloadable: boolean
  }
  content: Buffer
}
interface StoredSkill {
  id: string
  title: string | null
  created_at: string
  versions: Map<string, { created_at: string; files: number }>
}

/** What an answer of these routes is: a value, or bytes. */
type Stored = object | Buffer
export interface Asking {
  method: string
  pathname: string
  query: URLSearchParams
  type: string
  body: () => Promise<Buffer>
}

export interface Uploads {
  hasFile(id: string): boolean
  addFile(id: string): void
  /** Undefined for an address that is not one of files or skills. */
  answer(asking: Asking): Promise<Stored | undefined>
}

/** https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
const EMPTY_ZIP = Buffer.from([0x50, 0x4b, 0x05, 0x06, ...Array(18).fill(0)])
const BUILT_IN = ['pptx', 'xlsx', 'docx', 'pdf']

export function createUploads(): Uploads {
  const files = new Map<string, StoredFile>()
  const answerSkills = createSkills()
  return {
    hasFile: (id) => files.has(id),
    addFile: (id) =>
      void files.set(id, fileOf(id, 'simulated.txt', 'text/plain', Buffer.from('made by code execution'))),
    async answer(asking) {
      const [, kind, ...rest] = asking.pathname.split('/').slice(1)
      if (kind === 'files' && rest.length <= 2) {
        return answerFiles(files, asking, { id: rest[0], content: rest[1] === 'content' })
      }
      if (kind === 'skills' && rest.length <= 4) return answerSkills(asking, rest)
      return undefined
    },
  }
}

async function answerFiles(
  files: Map<string, StoredFile>,
  { method, query, type, body }: Asking,
  { id, content }: { id: string | undefined; content: boolean },
): Promise<Stored> {
  if (id === undefined) {
    if (method === 'GET') return page([...files.values()].map(({ metadata }) => metadata).reverse(), query)
    const part = partsOf(await body(), type).find(({ name }) => name === 'file')
    if (method !== 'POST' || !part) throw invalid('file: Field required')
    const file = fileOf(idOf('file'), part.filename ?? 'file', part.type, part.content)
    files.set(file.metadata.id, file)
    return file.metadata
  }
  const file = files.get(id)
  if (!file) throw notFound(`File not found: ${id}`)
  if (method === 'DELETE') {
    files.delete(id)
    return { id, type: 'file_deleted' }
  }
  return content ? file.content : file.metadata
}

function fileOf(id: string, filename: string, mime_type: string, content: Buffer): StoredFile {
  const known = { id, type: 'file' as const, filename, mime_type, size_bytes: content.length }
  return { metadata: { ...known, created_at: now(), downloadable: true }, content }
}

function createSkills() {
  const skills = new Map<string, StoredSkill>()
  const add = async (skill: StoredSkill, { body, type }: Asking) => {
    const parts = partsOf(await body(), type)
    const uploaded = parts.filter(({ name }) => name.startsWith('files'))
    if (uploaded.length === 0) throw invalid('files: Field required')
    const name = String(1_000_000_000_000 + Date.now() + skill.versions.size)
    skill.versions.set(name, { created_at: now(), files: uploaded.length })
    skill.title ??= parts.find((part) => /^display_(name|title)$/.test(part.name))?.content.toString() ?? null
    skills.set(skill.id, skill)
    return versionOf(skill, name)
  }
  const list = (query: URLSearchParams) => {
    const source = query.get('source')
    const own = source === 'anthropic' ? [] : [...skills.values()].map(skillOf).reverse()
    return page([...own, ...(source === 'custom' ? [] : BUILT_IN.map(builtIn))], query)
  }
  return async (asking: Asking, [id, below, version, content]: (string | undefined)[]): Promise<Stored> => {
    const { method, query } = asking
    if (id === undefined) {
      if (method !== 'POST') return list(query)
      const made = { id: idOf('skill'), title: null, created_at: now(), versions: new Map() }
      await add(made, asking)
      return skillOf(made)
    }
    const skill = skills.get(id)
    if (BUILT_IN.includes(id) && method === 'GET' && below === undefined) return builtIn(id)
    if (!skill) throw notFound(`Skill not found: ${id}`)
    if (below === undefined) {
      if (method !== 'DELETE') return skillOf(skill)
      if (skill.versions.size > 0) throw invalid('Delete all versions of the skill first')
      skills.delete(id)
      return { id, type: 'skill_deleted' }
    }
    if (version === undefined) {
      const versions = [...skill.versions.keys()].map((name) => versionOf(skill, name)).reverse()
      return method === 'POST' ? add(skill, asking) : page(versions, query)
    }
    if (!skill.versions.has(version)) throw notFound(`Version not found: ${version}`)
    if (content !== undefined) return EMPTY_ZIP
    if (method !== 'DELETE') return versionOf(skill, version)
    skill.versions.delete(version)
    return { id: version, type: 'skill_version_deleted' }
  }
}

function skillOf({ id, title, created_at, versions }: StoredSkill) {
  const latest_version = [...versions.keys()].at(-1) ?? null
  return {
    id,
    type: 'skill',
    display_title: title,
    display_name: title ?? 'skill',
    source: 'custom',
    latest_version,
    latest_version_id: latest_version,
    created_at,
    updated_at: created_at,
  }
}

function builtIn(id: string) {
  const created_at = '2025-10-13T00:00:00Z'
  return {
    id,
    type: 'skill',
    display_title: id,
    display_name: id,
    source: 'anthropic',
    latest_version: '20251013',
    created_at,
    updated_at: created_at,
  }
}

function versionOf({ id, title }: StoredSkill, version: string) {
  return {
    id: `skillver_${version}`,
    type: 'skill_version',
    skill_id: id,
    version,
    name: title ?? 'skill',
    description: '',
    directory: 'skill',
    created_at: now(),
  }
}

function page(all: object[], query: URLSearchParams) {
  const limit = Number(query.get('limit') ?? 20)
  const from = Number(query.get('page') ?? 0)
  const data = all.slice(from, from + limit)
  const hasMore = all.length > from + limit
  return { data, has_more: hasMore, next_page: hasMore ? String(from + limit) : null }
}

/** The parts of a form: https://www.rfc-editor.org/rfc/rfc7578 */
function partsOf(body: Buffer, type: string): Part[] {
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1]
  if (boundary === undefined) throw invalid('a multipart body is expected')
  const parts: Part[] = []
  const edge = Buffer.from(`--${boundary}`)
  for (let at = body.indexOf(edge); at >= 0; ) {
    const next = body.indexOf(edge, at + edge.length)
    if (next < 0) break
    const head = body.indexOf('\r\n\r\n', at)
    const lines = body.subarray(at, head).toString()
    parts.push({
      name: / name="([^"]*)"/i.exec(lines)?.[1] ?? '',
      filename: / filename="([^"]*)"/i.exec(lines)?.[1],
      type: /content-type: ([^\r\n]+)/i.exec(lines)?.[1] ?? 'application/octet-stream',
      content: body.subarray(head + 4, next - 2),
    })
    at = next
  }
  return parts
}

const now = () => new Date().toISOString()
