/** A call as the edge made it: complete, with only what matters given. */
import type { Call } from '../../core/calls/call.ts'
import type { Caller } from '../../core/keys/caller.ts'
import type { ModelRules } from '../../core/models/access.ts'
import { createStop } from '../../core/stop.ts'
import { ANN, OPUS } from './backends.ts'
import { NO_LIMITS } from './records.ts'

export const NO_RULES: ModelRules = { allow: [], deny: [], only: undefined }

export const caller = (given: Partial<Caller> = {}): Caller => ({
  userId: ANN,
  itcode: 'ann',
  keyId: 7,
  keyPrefix: 'sk-ann',
  hasOldSecret: false,
  billingGroupIds: [0],
  counters: [
    { scope: 'user', id: ANN, limits: NO_LIMITS },
    { scope: 'key', id: 7, limits: NO_LIMITS },
  ],
  grants: new Set(),
  models: NO_RULES,
  networks: undefined,
  billedTo: () => undefined,
  ...given,
})

export const call = (given: Partial<Call> = {}): Call => ({
  id: 'req_1',
  caller: caller(),
  path: '/v1/messages',
  headers: [],
  body: new TextEncoder().encode('{}'),
  client: 'other',
  project: '',
  requestedModel: OPUS,
  model: OPUS,
  stream: true,
  maxTokens: 100,
  namesContentByReference: false,
  serverToolUses: 0,
  webSearches: 0,
  fast: false,
  geoUs: false,
  longCache: false,
  otherModels: [],
  conversation: undefined,
  boundTo: undefined,
  makes: undefined,
  signal: createStop().signal,
  createdAt: 0,
  startedAt: 0,
  ...given,
})
