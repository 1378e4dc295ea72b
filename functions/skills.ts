/** Skills: a person's own are in an upstream account, Anthropic's are everybody's. */
import * as z from 'zod'
import { upstreamHeaders } from '../core/calls/forwarded-headers.ts'
import { Refusal } from '../core/errors.ts'
import { askForJson } from '../core/files/account.ts'
import { wholeReply } from '../core/files/relay.ts'
import { accountsFor, upload, uploadHeaders } from '../core/files/upload.ts'
import { parsedJson } from '../core/json/parse.ts'
import type { Owner } from '../core/objects/owner.ts'
import {
  type AccountCall,
  answerOf,
  askOwner,
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

/** More than Anthropic takes: https://platform.claude.com/docs/en/build-with-claude/skills-guide */
const SKILL_BYTES = 64 * 1024 * 1024
/** Anthropic's own have names such as pptx. */
const OWN = /^skill_/

const Skill = z.looseObject({ id: z.string() }).meta({ id: 'Skill' })
const SkillVersion = z.looseObject({ id: z.string() }).meta({ id: 'SkillVersion' })
const SkillUpload = z.looseObject({ files: z.unknown() }).meta({ id: 'SkillUpload' })
const Skills = z.looseObject({ data: z.array(z.looseObject({})) })
const shared = { tier: 'key', dialect: 'anthropic', errors: [404, 503] } as const
const form = { bodyType: 'multipart/form-data', accepts: SkillUpload, errors: [404, 413, 415, 503] } as const

export const skills = [
  route({
    ...shared,
    ...form,
    method: 'POST',
    path: '/v1/skills',
    summary: 'Makes a skill of the files in the form, in the account that has the last ones of the caller.',
    reply: Skill,
    async handle(call) {
      assertMultipart(call)
      assertBetas(call)
      const { deps, caller, target, headers, id } = call
      const pieces = call.pieces(SKILL_BYTES, true)
      const given = { userId: caller.userId, kind: 'skill' as const, path: target, headers, pieces }
      return wholeReply(await upload(deps, { ...given, signal: call.left() }), id)
    },
  }),
  route({
    ...shared,
    method: 'GET',
    path: '/v1/skills',
    summary:
      "The caller's skills, the newest first, and behind them Anthropic's; administrators see everybody's.",
    query: ListQuery.extend({ source: z.enum(['custom', 'anthropic']).optional() }),
    reply: ListReply,
    async handle(call) {
      const { source } = call.query
      const query = { ...call.query, ...(source === 'anthropic' ? { ids: [] } : {}) }
      const { page, leftOut } = await listed({ ...call, query }, 'skill', (id) => `/v1/skills/${id}`)
      if (page.has_more || source === 'custom') return pageReply(call, { page, leftOut })
      const theirs = await ofAnthropic(call)
      const all = { ...page, data: [...page.data, ...theirs.data] }
      return pageReply(call, { page: all, leftOut: [...new Set([...leftOut, ...theirs.leftOut])] })
    },
  }),
  route({
    ...shared,
    method: 'GET',
    path: '/v1/skills/:id',
    summary: 'One skill.',
    reply: Skill,
    handle: async (call) => answerOf(call, await holderOf(call, call.params.id), 'GET'),
  }),
  route({
    ...shared,
    method: 'DELETE',
    path: '/v1/skills/:id',
    summary: "Deletes one of the caller's skills, which has no versions any more.",
    reply: Skill,
    handle: (call) => deletion(call, 'skill', call.params.id),
  }),
  route({
    ...shared,
    ...form,
    method: 'POST',
    path: '/v1/skills/:id/versions',
    summary: "Adds a version to one of the caller's skills.",
    reply: SkillVersion,
    async handle(call) {
      assertMultipart(call)
      assertBetas(call)
      const owner = await ownerOf(call, 'skill', call.params.id)
      const body = call.pieces(SKILL_BYTES, true)
      return wholeReply(
        await askOwner(call, owner, 'POST', { headers: uploadHeaders(call.headers), body }),
        call.id,
      )
    },
  }),
  route({
    ...shared,
    method: 'GET',
    path: '/v1/skills/:id/versions',
    summary: 'The versions of a skill.',
    // Of the account's own pages, whose marks are its own too.
    query: ListQuery.extend({ page: z.string().max(1024).optional() }),
    reply: Skills,
    handle: async (call) => answerOf(call, await holderOf(call, call.params.id), 'GET'),
  }),
  route({
    ...shared,
    method: 'GET',
    path: '/v1/skills/:id/versions/:version',
    summary: 'One version of a skill.',
    reply: SkillVersion,
    handle: async (call) => answerOf(call, await holderOf(call, call.params.id), 'GET'),
  }),
  route({
    ...shared,
    method: 'GET',
    path: '/v1/skills/:id/versions/:version/content',
    summary: "The files of a version of one of the caller's skills, as a zip archive.",
    produces: ['application/octet-stream'],
    handle: async (call) => download(call, await ownerOf(call, 'skill', call.params.id)),
  }),
  route({
    ...shared,
    method: 'DELETE',
    path: '/v1/skills/:id/versions/:version',
    summary: "Deletes a version of one of the caller's skills.",
    reply: SkillVersion,
    handle: async (call) => answerOf(call, await ownerOf(call, 'skill', call.params.id), 'DELETE'),
  }),
]

/** Where a skill is: Anthropic's are in every account. */
async function holderOf(call: AccountCall, id: string): Promise<Pick<Owner, 'backend'>> {
  if (OWN.test(id)) return ownerOf(call, 'skill', id)
  const [account] = await accountsFor(call.deps, call.caller.userId, 'skill')
  if (account) return { backend: account.name }
  throw new Refusal('no_backend_available', 'No upstream account can be asked for skills right now.')
}

/** Those of Anthropic, as any account lists them. `leftOut`: the accounts, if none of them could be asked. */
async function ofAnthropic(
  call: AccountCall,
): Promise<{ data: Record<string, unknown>[]; leftOut: string[] }> {
  const { deps, caller } = call
  const path = '/v1/skills?source=anthropic&limit=100'
  const leftOut: string[] = []
  for (const account of await accountsFor(deps, caller.userId, 'skill')) {
    const request = {
      method: 'GET' as const,
      path,
      headers: upstreamHeaders(call.headers),
      signal: call.left(),
    }
    try {
      const { status, body } = await askForJson(deps, account, request)
      const found = Skills.safeParse(parsedJson(new TextDecoder().decode(body))).data
      const isTheirs = ({ id }: Record<string, unknown>) => typeof id === 'string' && !OWN.test(id)
      if (status < 300 && found) return { data: found.data.filter(isTheirs), leftOut: [] }
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown
    }
    leftOut.push(account.name)
  }
  return { data: [], leftOut }
}
