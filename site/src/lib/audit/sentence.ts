/** An event of the audit as a sentence with links, and what changed beside what the sentence says. */
import type { AuditEvent, AuditSubject } from '../../../../functions/audit.ts'
import { specialOf } from './special.ts'
import { isBlank, type Language, valueText } from './values.ts'
import type { Sentence } from './words.ts'

interface Part {
  text: string
  /** The page of what it names. */
  href?: string
  /** A name or a value, and not the words around it. */
  isNamed?: boolean
}
interface Change {
  label: string
  text: string
}
export interface Told {
  parts: Part[]
  changes: Change[]
}

export function toldOf(event: AuditEvent, language: Language): Told {
  const { words, format } = language
  const special = specialOf(event)
  const known: Readonly<Record<string, Sentence>> = words.sentences
  const sentence = special ? words.special[special.sentence] : (known[event.action] ?? words.unknown)
  const count = Number(event.after?.count ?? 1)
  const isOne = new Intl.PluralRules(format.locale).select(count) === 'one'
  const template =
    typeof sentence === 'string' ? sentence : isOne ? (sentence.one ?? sentence.other) : sentence.other
  const said = new Set([...(special?.says ?? []), ...(typeof sentence === 'string' ? [] : ['count'])])
  const parts = template.split(/(\{\w+\})/).flatMap((piece): Part[] => {
    const slot = /^\{(\w+)\}$/.exec(piece)?.[1]
    if (slot === undefined) return piece === '' ? [] : [{ text: piece }]
    said.add(slot === 'person' ? 'user_id' : slot)
    return partsOf(slot, event, language, special?.field)
  })
  const named = new Set(parts.map(({ text }) => text))
  return { parts, changes: changesOf(event, said, language).filter(({ text }) => !named.has(text)) }
}

/** The same without what it names, to choose an action by. */
export function actionLabel(sentence: Sentence): string {
  const text = typeof sentence === 'string' ? sentence : sentence.other
  const rest = text
    .replace(/^\{who\}\s*/, '')
    .replace(/\{\w+\}/g, '…')
    .trim()
  return rest.charAt(0).toUpperCase() + rest.slice(1)
}

function partsOf(slot: string, event: AuditEvent, language: Language, field: string | undefined): Part[] {
  const { before, after } = event
  if (slot === 'who') return [whoOf(event, language)]
  if (slot === 'target') return targetOf(event, language)
  if (slot === 'action') return [{ text: event.action }]
  const of = subjectOf(event, language)
  if (slot === 'person') {
    const id = after?.user_id ?? before?.user_id ?? of?.user_id
    return [
      personOf(
        language.subjects.get(`user:${id}`),
        of?.itcode ?? (id === null || id === undefined ? '–' : `#${id}`),
        id,
      ),
    ]
  }
  const text = (name: string, value: unknown) => [{ text: valueText(name, value, language), isNamed: true }]
  if (field && slot === 'from') return text(field, before?.[field])
  if (field && slot === 'to') return text(field, after?.[field])
  const value = after?.[slot] ?? before?.[slot]
  if (slot === 'period') return text(slot, value ?? periodOf(event.target) ?? of?.name)
  if (slot === 'model' && value === undefined) return text(slot, of?.name)
  return text(slot, value)
}

/** Nobody stands for the gateway itself and for its command line; with an address it was somebody who is not known. */
function whoOf({ actor_id, actor_itcode, admin_key_name, ip }: AuditEvent, { words }: Language): Part {
  if (actor_id !== null) return personOf(undefined, actor_itcode ?? `#${actor_id}`, actor_id)
  if (admin_key_name !== null) return { text: words.program.replace('{name}', admin_key_name), isNamed: true }
  return { text: ip === null ? words.system : words.somebody, isNamed: true }
}

function personOf(known: AuditSubject | undefined, name: string, id: unknown): Part {
  const href = typeof id === 'number' ? { href: `/admin/users/${id}` } : {}
  return { text: known?.name ?? name, ...href, isNamed: true }
}

function subjectOf({ target }: AuditEvent, { subjects }: Language): AuditSubject | undefined {
  return subjects.get(
    /^limit:/.test(target)
      ? target.replace(/^limit:(\w+):(\d+):.*$/, 'user:$2')
      : (target.split(' ')[0] ?? ''),
  )
}

const periodOf = (target: string) => /^limit:\w+:\d+:(\w+)$/.exec(target)?.[1]

function targetOf(event: AuditEvent, language: Language): Part[] {
  const { words, subjects } = language
  const limit = /^limit:(\w+):(\d+):/.exec(event.target)
  if (limit) return limitOwner(limit[1] ?? '', Number(limit[2]), language)
  const [ref = ''] = event.target.split(' ')
  const known = subjects.get(ref)
  const [kind = '', ...rest] = event.target.split(':')
  // Keys and groups that were just made are named by what they were called then.
  const made = typeof event.after?.name === 'string' ? event.after.name : undefined
  const plain = rest.length === 0 ? event.target : rest.join(':')
  if (kind === 'user' && plain === '') return [{ text: words.nobody, isNamed: true }]
  if (kind === 'user') return [personOf(known, plain, known?.id)]
  if (kind === 'invitation')
    return [{ text: plain === 'link' ? words.link : known?.name || plain, isNamed: true }]
  if (kind === 'key') return keyOf(known, made ?? plain, event, language)
  const href = hrefOf(kind, known?.id)
  const name = known?.name ?? (kind === 'group' ? (made ?? plain) : plain)
  return [{ text: /^(file|skill|container)$/.test(kind) ? event.target : name, ...href, isNamed: true }]
}

function hrefOf(kind: string, id: number | undefined): { href?: string } {
  if (kind === 'backend') return { href: '/admin/backends' }
  if (id === undefined) return {}
  if (kind === 'group') return { href: `/admin/groups/${id}` }
  return kind === 'application' || kind === 'request' ? { href: '/admin/requests' } : {}
}

/** With whose it is, unless they did it themselves. */
function keyOf(
  known: AuditSubject | undefined,
  name: string,
  event: AuditEvent,
  { words, subjects }: Language,
): Part[] {
  const owner = known?.user_id ?? event.after?.user_id
  const itcode = known?.itcode ?? subjects.get(`user:${owner}`)?.name
  const key = personOf(undefined, known?.name ?? name, owner)
  if (!itcode || owner === event.actor_id) return [key]
  const [before = '', after = ''] = words.of.split('{owner}')
  return [key, { text: before }, { text: itcode }, { text: after }]
}

function limitOwner(scope: string, id: number, { words, subjects }: Language): Part[] {
  const isUser = scope === 'user'
  const known = subjects.get(`${isUser ? 'user' : 'group'}:${id}`)
  const href = id === 0 ? {} : { href: isUser ? `/admin/users/${id}` : `/admin/groups/${id}` }
  const text = (words.scopes[scope] ?? '{name}').replace('{name}', known?.name ?? `#${id}`)
  return [{ text, ...href, isNamed: true }]
}

/** Both values of what changed; of what was made or is gone, all that is worth telling. */
function changesOf({ before, after }: AuditEvent, said: ReadonlySet<string>, language: Language): Change[] {
  const { words } = language
  const labels: Readonly<Record<string, string>> = words.fields
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])]
  const isChange = before !== null && after !== null
  return names
    .filter(
      (name) =>
        name !== 'is_set' &&
        !said.has(name) &&
        (isChange ? before[name] !== after[name] : !isBlank(name, (after ?? before)?.[name])),
    )
    .map((name) => {
      const [from, to] = [before?.[name], after?.[name]].map((value) => valueText(name, value, language))
      const text = isChange
        ? words.was.replace('{from}', from ?? '').replace('{to}', to ?? '')
        : ((after ? to : from) ?? '')
      return { label: labels[name] ?? name.replaceAll('_', ' '), text }
    })
}
