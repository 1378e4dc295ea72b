/** Claude's own interface, behind API keys. */
import * as z from 'zod'
import { forward, forwardFree } from '../core/proxy/forward.ts'
import { findModel, listModels } from '../core/proxy/models.ts'
import { type Received, receive } from '../core/proxy/receive.ts'
import { readBody } from './guard.ts'
import { type RouteCall, route } from './route.ts'

const cursor = z.string().max(256).optional()
const ModelPage = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(20),
  after_id: cursor,
  before_id: cursor,
})

export const proxy = [
  route({
    method: 'POST',
    path: '/v1/messages',
    tier: 'key',
    handle: async (call) => forward(call.deps, receive(call.deps, await received(call))),
  }),
  route({
    method: 'POST',
    path: '/v1/messages/count_tokens',
    tier: 'key',
    handle: async (call) => forwardFree(call.deps, receive(call.deps, await received(call))),
  }),
  route({
    method: 'GET',
    path: '/v1/models',
    tier: 'key',
    query: ModelPage,
    handle: ({ deps, caller, query }) => listModels(deps, caller, query),
  }),
  route({
    method: 'GET',
    path: '/v1/models/:id',
    tier: 'key',
    handle: ({ deps, caller, params }) => findModel(deps, caller, params.id),
  }),
]

async function received(call: RouteCall<string, 'key', undefined>): Promise<Received> {
  const { deps, caller, request, headers, target, id } = call
  return {
    id,
    caller,
    path: target,
    headers,
    body: await readBody(request, headers, deps.policy.limits.maxBodyBytes),
    signal: request.signal,
  }
}
