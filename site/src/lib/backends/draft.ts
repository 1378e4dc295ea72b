/** What is typed about a backend, and what is sent of it: the settings of the configuration file, a secret only where it was typed. */
import type { Backend } from '../api/backends.ts'
import { changesOf } from '../changes.ts'

export type BackendType = Backend['type']
/** With what a backend knows us. */
export type Proof = 'api_key' | 'aws_keys' | 'service_account' | 'azure_client' | 'platform'
/** Settings that hold secrets, as the form has them: `proof` is the API key or the credentials. */
export type Part = 'proof' | 'admin_key' | 'proxy' | 'headers'
/** Kept: what is stored stays. */
export type PartState = 'kept' | 'typed' | 'removed'
export type OpenField = 'url' | 'region' | 'project' | 'workspace_id' | 'resource' | 'key_header' | 'openai'
export type SecretField =
  | 'api_key'
  | 'access_key_id'
  | 'secret_access_key'
  | 'session_token'
  | 'service_account'
  | 'tenant_id'
  | 'client_id'
  | 'client_secret'
  | 'admin_key'
  | 'headers'
type Settings = Readonly<Record<string, unknown>>

interface Kind {
  fields: readonly OpenField[]
  proofs: readonly [Proof, ...Proof[]]
  /** The list of its models is the one that is typed. */
  needsModels: boolean
}
const AWS = ['api_key', 'aws_keys', 'platform'] as const
export const KINDS: Readonly<Record<BackendType, Kind>> = {
  anthropic: { fields: ['url', 'key_header', 'openai'], proofs: ['api_key'], needsModels: false },
  'claude-on-aws': { fields: ['region', 'workspace_id', 'url'], proofs: AWS, needsModels: false },
  bedrock: { fields: ['region', 'url'], proofs: AWS, needsModels: true },
  'bedrock-mantle': { fields: ['region', 'url'], proofs: AWS, needsModels: true },
  vertex: {
    fields: ['region', 'project', 'url'],
    proofs: ['service_account', 'platform'],
    needsModels: true,
  },
  foundry: {
    fields: ['resource', 'url'],
    proofs: ['api_key', 'azure_client', 'platform'],
    needsModels: true,
  },
}
export const TYPES = Object.keys(KINDS) as BackendType[] // it has them all
export const PROOF_FIELDS: Readonly<Record<Proof, readonly SecretField[]>> = {
  api_key: ['api_key'],
  aws_keys: ['access_key_id', 'secret_access_key', 'session_token'],
  service_account: ['service_account'],
  azure_client: ['tenant_id', 'client_id', 'client_secret'],
  platform: [],
}
const OPEN = ['url', 'region', 'project', 'workspace_id', 'resource', 'key_header', 'openai'] as const
const NUMBERS = ['weight', 'priority', 'price_multiplier'] as const
const PARTS = ['proof', 'admin_key', 'proxy', 'headers'] as const

export interface Draft extends Record<OpenField, string> {
  name: string
  type: BackendType
  /** A line each: a name, or `name = what the backend calls it`. */
  models: string
  weight: number
  priority: number
  price_multiplier: number
  proof: Proof
  /** Of a stored one without its user and password. */
  proxy: string
  parts: Record<Part, PartState>
  secrets: Record<SecretField, string>
}

/** A backend that is stored. */
export interface Stored {
  name: string
  /** How it is, as a draft. */
  before: Draft
  /** The parts that hold a secret. */
  set: readonly Part[]
  headers: readonly string[]
  /** Its secrets cannot be read any more: all of them are needed again. */
  isBroken: boolean
}

const NO_SECRETS: Draft['secrets'] = {
  api_key: '',
  access_key_id: '',
  secret_access_key: '',
  session_token: '',
  service_account: '',
  tenant_id: '',
  client_id: '',
  client_secret: '',
  admin_key: '',
  headers: '',
}

export function newDraft(): Draft {
  return {
    name: '',
    type: 'anthropic',
    url: 'https://api.anthropic.com',
    region: '',
    project: '',
    workspace_id: '',
    resource: '',
    key_header: 'x-api-key',
    openai: 'translate',
    models: '',
    weight: 1,
    priority: 0,
    price_multiplier: 1,
    proof: 'api_key',
    proxy: '',
    parts: { proof: 'typed', admin_key: 'typed', proxy: 'typed', headers: 'typed' },
    secrets: { ...NO_SECRETS },
  }
}

/** `view` is undefined for one that is not in force. */
export function storedFrom(name: string, settings: Settings, view: Backend | undefined): Stored {
  const type = TYPES.find((one) => one === settings.type) ?? 'anthropic'
  const secrets = view?.secrets ?? []
  const set = PARTS.filter((part) =>
    part === 'proof'
      ? secrets.includes('api_key') || secrets.includes('credentials')
      : secrets.includes(part),
  )
  const text = (key: string, usual = '') => String(settings[key] ?? usual)
  const number = (key: string, usual: number) => Number(settings[key] ?? usual)
  const before: Draft = {
    name,
    type,
    url: text('url'),
    region: text('region'),
    project: text('project'),
    workspace_id: text('workspace_id'),
    resource: text('resource'),
    key_header: text('key_header', 'x-api-key'),
    openai: text('openai', 'translate'),
    models: modelLines(settings.models),
    weight: number('weight', 1),
    priority: number('priority', 0),
    price_multiplier: number('price_multiplier', 1),
    proof: proofOf(type, view),
    proxy: view?.proxy ?? '',
    parts: { proof: 'kept', admin_key: 'kept', proxy: 'kept', headers: 'kept' },
    secrets: { ...NO_SECRETS },
  }
  for (const part of PARTS) if (!set.includes(part) && part !== 'proof') before.parts[part] = 'typed'
  if (!view) before.parts.proof = 'typed'
  return { name, before, set, headers: view?.headers ?? [], isBroken: view === undefined }
}

function proofOf(type: BackendType, view: Backend | undefined): Proof {
  const [first, ...others] = KINDS[type].proofs
  if (!view || view.secrets.includes('api_key')) return first
  if (!view.secrets.includes('credentials')) return 'platform'
  return [first, ...others].find((proof) => proof !== 'api_key' && proof !== 'platform') ?? first
}

function modelLines(models: unknown): string {
  if (!Array.isArray(models)) return ''
  return models
    .map((one) => (typeof one === 'object' && one !== null ? `${one.id} = ${one.upstream}` : String(one)))
    .join('\n')
}

/** Whether this change decides where secrets go, so that all of them are needed again. */
export function isElsewhere(draft: Draft, stored: Stored): boolean {
  if (stored.isBroken) return true
  const was = openSettings(stored.before)
  const is = openSettings(draft)
  const hasMoved = ['type', ...OPEN].some((name) => was[name] !== is[name])
  return (
    hasMoved ||
    draft.proxy !== stored.before.proxy ||
    isOther(draft, stored, 'proxy') ||
    isOther(draft, stored, 'headers')
  )
}

function isOther({ parts }: Draft, { set }: Stored, part: 'proxy' | 'headers'): boolean {
  return set.includes(part) && parts[part] !== 'kept'
}

/** How a part is, where what is stored cannot stay because of the rest. */
export function stateOf(draft: Draft, stored: Stored | undefined, part: Part): PartState {
  const state = draft.parts[part]
  if (!stored || state !== 'kept') return state
  const isOtherProof = part === 'proof' && draft.proof !== stored.before.proof
  const isAgain = stored.set.includes(part) && isElsewhere(draft, stored)
  return isOtherProof || isAgain ? 'typed' : 'kept'
}

/** All settings of a new backend, or those that a stored one is changed in; null takes one away. */
export function settingsOf(draft: Draft, stored: Stored | undefined): Record<string, unknown> {
  const all = { ...openSettings(draft), ...secretSettings(draft, stored) }
  if (!stored) return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null))
  return changesOf(openSettings(stored.before), all)
}

function openSettings(draft: Draft): Record<string, unknown> {
  const { fields } = KINDS[draft.type]
  const models = linesOf(draft.models).map((line) => {
    const [id = '', ...upstream] = line.split('=')
    return upstream.length > 0 ? { id: id.trim(), upstream: upstream.join('=').trim() } : id
  })
  return {
    name: draft.name.trim(),
    type: draft.type,
    ...Object.fromEntries(OPEN.map((name) => [name, (fields.includes(name) && draft[name].trim()) || null])),
    models: models.length > 0 ? models : null,
    ...Object.fromEntries(NUMBERS.map((name) => [name, draft[name]])),
  }
}

function secretSettings(draft: Draft, stored: Stored | undefined): Record<string, unknown> {
  const { secrets } = draft
  const settings: Record<string, unknown> = {}
  const isNow = (part: Part) => stateOf(draft, stored, part)
  if (isNow('proof') === 'typed') Object.assign(settings, proofSettings(draft))
  if (draft.type !== 'anthropic') {
    if (stored?.set.includes('admin_key')) settings.admin_key = null
  } else if (isNow('admin_key') !== 'kept') {
    const typed = isNow('admin_key') === 'typed' && secrets.admin_key.trim()
    if (typed || stored?.set.includes('admin_key')) settings.admin_key = typed || null
  }
  if (isNow('headers') !== 'kept') {
    const typed = isNow('headers') === 'typed' ? headersIn(secrets.headers) : {}
    const isAny = Object.keys(typed).length > 0
    if (isAny || stored?.set.includes('headers')) settings.headers = isAny ? typed : null
  }
  if (isNow('proxy') !== 'kept') {
    const typed = isNow('proxy') === 'typed' && draft.proxy.trim()
    if (typed !== (stored?.before.proxy ?? '') || stored?.set.includes('proxy'))
      settings.proxy = typed || null
  }
  return settings
}

function proofSettings({ proof, secrets }: Draft): Record<string, unknown> {
  if (proof === 'api_key') return { api_key: secrets.api_key.trim(), credentials: null }
  if (proof === 'platform') return { api_key: null, credentials: 'platform' }
  const given = PROOF_FIELDS[proof].map((name) => [name, secrets[name].trim()] as const)
  return { api_key: null, credentials: Object.fromEntries(given.filter(([, value]) => value !== '')) }
}

/** `name: value` lines. */
function headersIn(text: string): Record<string, string> {
  return Object.fromEntries(
    linesOf(text).map((line) => {
      const [name = '', ...value] = line.split(':')
      return [name.trim(), value.join(':').trim()]
    }),
  )
}

function linesOf(text: string): string[] {
  return text.split('\n').flatMap((line) => line.trim() || [])
}
