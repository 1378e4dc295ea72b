/** What routes of the Admin API share: tagged ids, versions, lists, actors and amounts. */
import * as z from 'zod'
import type { User } from '../../core/auth/account.ts'
import { nothingHere, Refusal } from '../../core/errors.ts'
import { headerOf } from '../../core/http/headers.ts'
import type { Cursor, Page } from '../../core/organisation/pages.ts'
import type { HeaderPairs } from '../../core/ports.ts'
import type { Settings } from '../../core/settings.ts'
import { mailTo } from '../../core/users/address.ts'
import { oneOfEach } from '../fields.ts'

/**
 * Anthropic's SDKs send what is null as an empty value. An address is not among them, because whoever looks for nobody must not
 * find everybody.
 */
const nullable = [
  'page',
  'after_id',
  'before_id',
  'status',
  'period',
  'user_ids',
  'actor_ids',
  'created_by_user_id',
  'workspace_id',
  'scope_type',
  'group_type',
  'model',
]
/** Of all routes here. */
export const ADMIN = { tier: 'admin-key', dialect: 'anthropic-admin', nullable } as const
/** Also for cost tools, which look names up. */
export const USAGE = { ...ADMIN, scope: 'usage' } as const

/** The id in a tagged one, such as 7 in user_7. `tag` may name several, with | between them. */
export const tagged = oneOfEach((tag: string) => {
  const pattern = new RegExp(`^(${tag})_[1-9]\\d{0,14}$`)
  return z
    .string()
    .regex(pattern, `an id such as ${tag.split('|')[0]}_7 is expected`)
    .transform((text) => Number(text.slice(text.lastIndexOf('_') + 1)))
})
/** A person, or a service account. */
export const anyUser = tagged('user|svac')

/** The id in a path. Throws a Refusal not_found for text that is no such id. */
export function idIn(tag: string, text: string): number {
  const id = tagged(tag).safeParse(text)
  if (!id.success) throw nothingHere()
  return id.data
}

export function userTag({ id, kind }: Pick<User, 'id' | 'kind'>): string {
  return `${kind === 'service' ? 'svac' : 'user'}_${id}`
}

/** null for the built-in group, which is no workspace. */
export function workspaceTag(groupId: number): string | null {
  return groupId > 0 ? `wrkspc_${groupId}` : null
}

/** Whether the request is made in today's version: https://platform.claude.com/docs/en/api/versioning */
export function isCurrent(headers: HeaderPairs): boolean {
  return (headerOf(headers, 'anthropic-version') ?? '') >= '2026-10-21'
}

const MOST_LISTED = /^([1-9]\d{0,2}|1000)$/
const limit = z.string().regex(MOST_LISTED, 'a whole number from 1 to 1000 is expected').transform(Number)
const page = z
  .string()
  .regex(/^page_\d{1,15}$/, 'the next_page of an earlier answer is expected')
  .transform((text) => Number(text.slice('page_'.length)))
  .optional()

/** Queries of lists with after_id and before_id. */
export function byId(tag: string) {
  return { limit: limit.default(20), after_id: tagged(tag).optional(), before_id: tagged(tag).optional() }
}
/** Queries of lists with next_page. */
export const byPage = { limit: limit.default(20), page }

/** Throws a Refusal invalid_input for both cursors. */
export function cursorOf(query: {
  limit: number
  after_id?: number | undefined
  before_id?: number | undefined
  page?: number | undefined
}): Cursor {
  const { limit, after_id, before_id, page } = query
  if ([after_id, before_id, page].filter((one) => one !== undefined).length > 1) {
    throw new Refusal('invalid_input', 'Send one of after_id, before_id and page.')
  }
  return { limit, after: after_id ?? page, before: before_id }
}

export function idList(item: z.ZodType) {
  return z.strictObject({
    data: z.array(item),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
}

export function pageList(item: z.ZodType) {
  return z.strictObject({ data: z.array(item), next_page: z.string().nullable() })
}

export function idListOf<V extends { id: string }>(data: readonly V[], { hasMore }: Page<unknown>) {
  return {
    data: [...data],
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore,
  }
}

/** `cursorIn` is the number in a row that the next page begins after. */
export function pageListOf<T, V>(
  { rows, hasMore }: Page<T>,
  viewOf: (row: T) => V,
  cursorIn: (row: T) => number,
) {
  const last = rows.at(-1)
  return { data: rows.map(viewOf), next_page: hasMore && last ? `page_${cursorIn(last)}` : null }
}

export const Actor = z
  .union([
    z.strictObject({
      type: z.literal('user_actor'),
      user_id: z.string(),
      name: z.string().nullable(),
      email_address: z.string().nullable(),
      deleted: z.boolean(),
    }),
    z.strictObject({
      type: z.literal('service_account_actor'),
      service_account_id: z.string(),
      name: z.string(),
    }),
    z.strictObject({ type: z.literal('scoped_api_key_actor'), scoped_api_key_id: z.string() }),
  ])
  .meta({ id: 'OrganizationActor' })
export type Actor = z.infer<typeof Actor>

export function actorOf(
  user: Pick<User, 'id' | 'kind' | 'itcode' | 'name' | 'email' | 'deletedAt'>,
  settings: Pick<Settings, 'auth'>,
): Actor {
  if (user.kind === 'service') {
    return { type: 'service_account_actor', service_account_id: userTag(user), name: user.name }
  }
  const isDeleted = user.deletedAt !== null
  return {
    type: 'user_actor',
    user_id: userTag(user),
    name: isDeleted ? null : user.name,
    email_address: isDeleted ? null : mailTo(user, settings.auth),
    deleted: isDeleted,
  }
}

/** As the audit names a program. */
export function programActor(adminKeyId: number): Actor {
  return { type: 'scoped_api_key_actor', scoped_api_key_id: `admin-key:${adminKeyId}` }
}

export const MICROS_PER_CENT = 10_000
/** Whole cents, up to $999,999,999.99, parsed to micro-dollars. */
export const cents = z
  .string()
  .regex(/^(0|[1-9]\d{0,10})$/, 'a whole number of cents as text is expected')
  .transform((text) => Number(text) * MICROS_PER_CENT)

/** Micro-dollars as cents, without rounding: 1_234_500 is 123.45. */
export function centsText(micros: number): string {
  const [whole, part] = [Math.trunc(Math.abs(micros) / MICROS_PER_CENT), Math.abs(micros) % MICROS_PER_CENT]
  const fraction = String(part).padStart(4, '0').replace(/0+$/, '')
  return `${micros < 0 ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

export const amountText = z.string().nullable().meta({ description: 'US cents; null is unlimited.' })
export const apiPeriod = z.enum(['daily', 'weekly', 'monthly'])

export function deleted(type: string) {
  return z.strictObject({ id: z.string(), type: z.literal(type) })
}
