/** Files for Messages: they are in an upstream account, and each belongs to the person who uploaded it. */
import * as z from 'zod'
import { wholeReply } from '../core/files/relay.ts'
import { upload } from '../core/files/upload.ts'
import {
  answerOf,
  assertBetas,
  assertMultipart,
  deletion,
  download,
  ListQuery,
  ListReply,
  listed,
  ownerOf,
  pageReply,
} from './account-calls.ts'
import { route } from './route.ts'

/** What Anthropic takes, with room for what stands around it: https://platform.claude.com/docs/en/build-with-claude/files */
const FILE_BYTES = 500 * 1024 * 1024 + 64 * 1024

const FileMetadata = z.looseObject({ id: z.string() }).meta({ id: 'FileMetadata' })
const shared = { tier: 'key', dialect: 'anthropic', errors: [404, 503] } as const

export const files = [
  route({
    ...shared,
    method: 'POST',
    path: '/v1/files',
    summary: "Uploads a file. It goes to the account that has the caller's last ones.",
    bodyType: 'multipart/form-data',
    accepts: z.looseObject({ file: z.unknown() }).meta({ id: 'FileUpload' }),
    reply: FileMetadata,
    errors: [413, 415, 503],
    async handle(call) {
      assertMultipart(call)
      assertBetas(call)
      const { deps, caller, target, headers, id } = call
      const pieces = call.pieces(FILE_BYTES, true)
      const given = {
        userId: caller.userId,
        kind: 'file' as const,
        path: target,
        headers,
        pieces,
        signal: call.left(),
      }
      return wholeReply(await upload(deps, given), id)
    },
  }),
  route({
    ...shared,
    method: 'GET',
    path: '/v1/files',
    summary: "The caller's files, the newest first; administrators see everybody's.",
    query: ListQuery.extend({
      ids: z.array(z.string().max(256)).max(1000).optional(),
      scope_id: z.string().max(256).optional(),
    }),
    repeats: ['ids'],
    reply: ListReply,
    // Sessions have files of their own, and there are none here.
    async handle(call) {
      const query = { ...call.query, ...(call.query.scope_id === undefined ? {} : { ids: [] }) }
      return pageReply(call, await listed({ ...call, query }, 'file', (id) => `/v1/files/${id}`))
    },
  }),
  route({
    ...shared,
    method: 'GET',
    path: '/v1/files/:id',
    summary: "What is known of one of the caller's files.",
    reply: FileMetadata,
    handle: async (call) => answerOf(call, await ownerOf(call, 'file', call.params.id), 'GET'),
  }),
  route({
    ...shared,
    method: 'GET',
    path: '/v1/files/:id/content',
    summary: 'The content of a file, for what may be downloaded.',
    produces: ['application/octet-stream'],
    handle: async (call) => download(call, await ownerOf(call, 'file', call.params.id)),
  }),
  route({
    ...shared,
    method: 'DELETE',
    path: '/v1/files/:id',
    summary: "Deletes one of the caller's files.",
    reply: z.looseObject({ id: z.string() }),
    handle: (call) => deletion(call, 'file', call.params.id),
  }),
]
