/** Uploads: each goes to the account that has its owner's last ones, because a call can name only what one account has. */
import { and, desc, eq, inArray } from 'drizzle-orm'
import * as z from 'zod'
import { kindOf } from '../backends/kinds/kinds.ts'
import type { KeptAnswer } from '../calls/attempt.ts'
import { upstreamHeaders } from '../calls/forwarded-headers.ts'
import { type ObjectKind, upstreamObjects } from '../db/objects.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import { parsedJson } from '../json/parse.ts'
import { storeObject } from '../objects/manage.ts'
import type { HeaderPairs } from '../ports.ts'
import type { Backend } from '../settings.ts'
import { createStop, type StopSignal } from '../stop.ts'
import { DAY_MS } from '../units.ts'
import { untiring } from '../untiring.ts'
import { type AccountParts, askForJson, Unreached } from './account.ts'

export type UploadParts = AccountParts & Pick<Deps, 'db' | 'random' | 'waitUntil'>

export interface Upload {
  userId: number
  kind: ObjectKind
  path: string
  headers: HeaderPairs
  pieces: AsyncIterable<Uint8Array>
  signal: StopSignal
}

/** Kinds of backends that have batches. */
const WITH_BATCHES: ReadonlySet<Backend['kind']> = new Set(['anthropic', 'claude-on-aws'])
/** Kinds that a call may name together. */
const TOGETHER: readonly ObjectKind[] = ['file', 'skill', 'batch']
const Made = z.looseObject({
  id: z.string().min(1).max(256),
  expires_at: z.iso.datetime().nullish().catch(null),
})

/**
 * Sends an upload on while it arrives, to one account after the other until one of them takes its first byte. What it made is
 * kept with its owner before the answer is handed on. Throws a Refusal (as askAccount; no_backend_available), or ClientGone.
 */
export async function upload(parts: UploadParts, given: Upload): Promise<KeptAnswer> {
  const { userId, kind, path, pieces, signal } = given
  const headers = uploadHeaders(given.headers)
  let begun = false
  async function* beginning() {
    begun = true
    yield* pieces
  }
  for (const backend of await accountsFor(parts, userId, kind)) {
    try {
      const answer = await askForJson(parts, backend, {
        method: 'POST',
        path,
        headers,
        body: beginning(),
        signal,
      })
      if (answer.status < 300) await keep(parts, given, { kind, backend, answer })
      return answer
    } catch (thrown) {
      if (begun || !(thrown instanceof Unreached)) throw thrown
    }
  }
  throw new Refusal(
    'no_backend_available',
    'No upstream account can take uploads right now. Please try again.',
    {
      retryAfterMs: 5_000,
    },
  )
}

/** As of a call, with the length of the body, which travels unchanged. */
export function uploadHeaders(from: HeaderPairs): HeaderPairs {
  const length = from.filter(([name]) => name === 'content-length')
  const isEncoded = from.some(([name]) => name === 'content-encoding')
  return [...upstreamHeaders(from), ...(isEncoded ? [] : length)]
}

/** Those that may take something new: the account of the person's last objects first, then by priority, weight and chance. */
export async function accountsFor(
  { db, balancer, random }: Pick<Deps, 'db' | 'balancer' | 'random'>,
  userId: number,
  kind: ObjectKind,
): Promise<Backend[]> {
  const isOwn = and(eq(upstreamObjects.userId, userId), inArray(upstreamObjects.kind, [...TOGETHER]))
  const [last] = await db
    .select({ backend: upstreamObjects.backend })
    .from(upstreamObjects)
    .where(isOwn)
    .orderBy(desc(upstreamObjects.rowId))
    .limit(1)
  return balancer
    .views()
    .filter(({ backend, state }) => backend.enabled && state !== 'disabled' && takes(backend, kind))
    .filter(({ backend }) => backend.weight > 0 || backend.name === last?.backend)
    .map(({ backend, state }) => {
      const isOut = state === 'ejected'
      const chance = backend.weight / -Math.log(random() || Number.MIN_VALUE)
      return { backend, rank: (isOut ? 0 : 1) + (backend.name === last?.backend ? 2 : 0), chance }
    })
    .toSorted((a, b) => b.rank - a.rank || b.backend.priority - a.backend.priority || b.chance - a.chance)
    .map(({ backend }) => backend)
}

/** Whether this kind of backend has what is to be made. */
export function takes(backend: Backend, kind: ObjectKind): boolean {
  const { lacks } = kindOf(backend)
  if (kind === 'batch') return WITH_BATCHES.has(backend.kind)
  return !lacks.has(kind === 'skill' ? 'skills' : 'file_sources')
}

/** What nobody is known to own is deleted again, because nobody could ever reach it. */
async function keep(
  parts: UploadParts,
  { userId, path, headers }: Upload,
  { kind, backend, answer }: { kind: ObjectKind; backend: Backend; answer: KeptAnswer },
): Promise<void> {
  const made = Made.safeParse(parsedJson(new TextDecoder().decode(answer.body))).data
  if (!made) return
  const owner = { userId, backend: backend.name }
  const expiresAt = made.expires_at ? Date.parse(made.expires_at) + DAY_MS : null
  const object = { kind, id: made.id, expiresAt }
  try {
    await untiring(parts, () => storeObject(parts, owner, object))
  } catch (cause) {
    const gone = `${path.split('?', 1)[0]}/${encodeURIComponent(made.id)}`
    const { signal } = createStop()
    const undo = { method: 'DELETE' as const, path: gone, headers: upstreamHeaders(headers), signal }
    parts.waitUntil(askForJson(parts, backend, undo).catch(() => {}))
    throw cause
  }
}
