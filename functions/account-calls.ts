/** What the routes of files, skills and batches have in common. */
import * as z from 'zod'
import { assertFeatures } from '../core/calls/features.ts'
import { upstreamHeaders } from '../core/calls/forwarded-headers.ts'
import { nothingNamed } from '../core/calls/named.ts'
import type { ObjectKind } from '../core/db/objects.ts'
import { Refusal } from '../core/errors.ts'
import { type AccountRequest, accountNamed, askAccount, askForJson } from '../core/files/account.ts'
import { type ListedPage, listObjects } from '../core/files/list.ts'
import { downloadReply, wholeReply } from '../core/files/relay.ts'
import { mediaTypeOf } from '../core/http/headers.ts'
import { removeObject } from '../core/objects/manage.ts'
import type { Owner } from '../core/objects/owner.ts'
import type { Reply } from '../core/ports.ts'
import type { RouteCall } from './route.ts'

export type AccountCall = Omit<RouteCall<string, 'key', undefined, undefined>, 'query' | 'params'>
type Method = AccountRequest['method']

const id = z.string().regex(/^[\w.-]{1,256}$/, 'an id is expected')
/** Which part of a list is asked for. */
export const ListQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(20),
  after_id: id.optional(),
  before_id: id.optional(),
  page: z
    .string()
    .regex(/^\d{1,15}$/, 'the next_page of an answer to the same question is expected')
    .optional(),
  beta: z.string().max(16).optional(),
})
export const ListReply = z.looseObject({
  data: z.array(z.looseObject({})),
  has_more: z.boolean(),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
  next_page: z.string().nullable(),
})

/** Throws a Refusal body_invalid for a beta feature that is not allowed here. */
export function assertBetas({ deps, headers }: Pick<AccountCall, 'deps' | 'headers'>): void {
  assertFeatures(deps.settings.messages, { betas: [], named: nothingNamed() }, headers)
}

/** Throws a Refusal unsupported_media_type. */
export function assertMultipart({ headers }: Pick<AccountCall, 'headers'>): void {
  if (mediaTypeOf(headers) === 'multipart/form-data') return
  throw new Refusal('unsupported_media_type', 'Send a body of the content-type multipart/form-data.')
}

/** Whoever owns it. Throws a Refusal not_found, the same for what is unknown and for what is somebody else's. */
export async function ownerOf(
  { deps, caller }: Pick<AccountCall, 'deps' | 'caller'>,
  kind: ObjectKind,
  id: string,
): Promise<Owner> {
  const owner = await deps.objects.find(caller.userId, { kind, id })
  if (owner) return owner
  throw new Refusal('not_found', `There is no ${kind} of yours with this id here.`)
}

/** The account's answer about an object, whole. */
export async function answerOf(
  call: AccountCall,
  owner: Pick<Owner, 'backend'>,
  method: Method,
): Promise<Reply> {
  return wholeReply(await askOwner(call, owner, method), call.id)
}

/** `sent`: what is uploaded, with its headers. */
export async function askOwner(
  call: AccountCall,
  { backend }: Pick<Owner, 'backend'>,
  method: Method,
  sent?: Pick<AccountRequest, 'headers' | 'body'>,
) {
  const { deps, target } = call
  const request = {
    method,
    path: plain(target),
    headers: upstreamHeaders(call.headers),
    signal: call.left(),
    ...sent,
  }
  return askForJson(deps, accountNamed(deps, backend), request)
}

/**
 * The same path and query. What stands before an account may decode a path and resolve its dots, so that an id in it would lead to
 * another object. Throws a Refusal not_found.
 */
function plain(target: string): string {
  const [path = ''] = target.split('?', 1)
  if (!/%(2e|2f|5c|25)|\/\.{1,2}(\/|$)/i.test(path)) return target
  throw new Refusal('not_found', 'There is nothing of yours at this address.')
}

/** Deletes an object there and here. */
export async function deletion(call: AccountCall, kind: ObjectKind, id: string): Promise<Reply> {
  const { deps, actor } = call
  const owner = await ownerOf(call, kind, id)
  const answer = await askOwner(call, owner, 'DELETE')
  if (answer.status < 300 || answer.status === 404) {
    await removeObject({ ...deps, actor: actor() }, { kind, id }, owner)
    deps.objects.forget({ kind, id })
  }
  return wholeReply(answer, call.id)
}

/** What an account has, byte for byte, to be saved. */
export async function download(call: AccountCall, { backend }: Owner): Promise<Reply> {
  const { deps, target, id: requestId } = call
  const signal = call.left()
  const request = {
    method: 'GET' as const,
    path: plain(target),
    headers: upstreamHeaders(call.headers),
    signal,
  }
  return downloadReply(deps, await askAccount(deps, accountNamed(deps, backend), request), {
    requestId,
    signal,
  })
}

/** A page of the caller's objects. */
export async function listed(
  call: AccountCall & { query: z.output<typeof ListQuery> & { ids?: readonly string[] | undefined } },
  kind: ObjectKind,
  pathOf: (id: string) => string,
): Promise<{ page: ListedPage; leftOut: string[] }> {
  const { deps, caller, query, headers } = call
  const suffix = query.beta === undefined ? '' : `?beta=${encodeURIComponent(query.beta)}`
  return listObjects(
    deps,
    {
      userId: caller.userId,
      kind,
      limit: query.limit,
      ids: query.ids,
      afterId: query.after_id,
      beforeId: query.before_id,
      page: query.page,
    },
    {
      pathOf: (id) => pathOf(encodeURIComponent(id)) + suffix,
      headers: upstreamHeaders(headers),
      signal: call.left(),
    },
  )
}

/** A page of a list; `leftOut`: the accounts that could not be asked. */
export function pageReply(
  { id }: Pick<AccountCall, 'id'>,
  { page, leftOut }: { page: ListedPage; leftOut: readonly string[] },
): Response | ListedPage {
  if (leftOut.length === 0) return page
  const warning = `${leftOut.length} of the accounts cannot be asked at the moment: what they have is missing`
  return Response.json(page, {
    headers: { 'request-id': id, 'cache-control': 'no-store', 'x-gateway-warning': warning },
  })
}
