/** Tries a backend step by step for an administrator, and says in words how each step went. */
import type { Verdict } from '../calls/verdict.ts'
import { matchesAny } from '../glob.ts'
import type { MaybePromise } from '../ports.ts'
import type { Backend } from '../settings.ts'
import { askOnce, type CheckParts, type ListFinding, readModels } from './check.ts'
import { kindOf } from './kinds/kinds.ts'
import type { OwnCall } from './own-call.ts'

export const STEPS = ['credentials', 'models', 'call'] as const
export const OUTCOMES = ['passed', 'failed', 'skipped'] as const

export interface Step {
  step: (typeof STEPS)[number]
  outcome: (typeof OUTCOMES)[number]
  /** A sentence of our own: no secret, and nothing of what the upstream said. */
  message: string
}
type Told = Omit<Step, 'step'>
type Asked = Awaited<ReturnType<typeof askOnce>>

type TryParts = CheckParts & {
  /** Takes the call of one token into the usage log. */
  book(call: OwnCall): MaybePromise<void>
}

/** Whether there are credentials and they are taken, what is listed, and whether a call of one token is served, which it costs. */
export async function tryOut(parts: TryParts, backend: Backend): Promise<Step[]> {
  if (!(await canProve(parts, backend))) {
    const none = skipped('There are no credentials to ask with.')
    return told(failed('No token could be had with these credentials.'), none, none)
  }
  const found = await readModels(parts, backend)
  const listed = found.kind === 'listed' ? found.models.map(({ id }) => id) : []
  const served = listed.filter((id) => backend.models.length === 0 || matchesAny(backend.models, id))
  const configured = backend.models.find((name) => !name.includes('*'))
  const model = configured ?? smallestOf(served)
  const asked = model === undefined ? undefined : await askAndBook(parts, backend, model)
  return told(
    ofCredentials(backend, found, asked),
    ofModels(found),
    asked
      ? // What is listed are the upstream's words.
        ofCall(configured ?? 'a model of its list', asked)
      : skipped('No model is known: neither the settings nor the backend name one.'),
  )
}

async function askAndBook(parts: TryParts, backend: Backend, model: string): Promise<Asked> {
  const { clock } = parts
  const createdAt = clock.now()
  const startedAt = clock.elapsed()
  const asked = await askOnce(parts, backend, model)
  await parts.book({ backend, model, createdAt, latencyMs: clock.elapsed() - startedAt, ...asked })
  return asked
}

function told(credentials: Told, models: Told, call: Told): Step[] {
  return [
    { step: 'credentials', ...credentials },
    { step: 'models', ...models },
    { step: 'call', ...call },
  ]
}

function passed(message: string): Told {
  return { outcome: 'passed', message }
}

function failed(message: string): Told {
  return { outcome: 'failed', message }
}

function skipped(message: string): Told {
  return { outcome: 'skipped', message }
}

/** Whether a driver of credentials has something to prove with; an API key needs none. */
async function canProve({ credentialsOf }: CheckParts, backend: Backend): Promise<boolean> {
  const { origin } = new URL(backend.url)
  try {
    await credentialsOf?.(backend)?.headers({
      origin,
      method: 'GET',
      path: '/',
      headers: [],
      body: undefined,
    })
    return true
  } catch {
    return false
  }
}

/** A small model costs least. */
function smallestOf(models: readonly string[]): string | undefined {
  return models.find((id) => id.includes('haiku')) ?? models[0]
}

function ofCredentials(backend: Backend, found: ListFinding, asked: Asked | undefined): Told {
  const refusedCall = asked?.verdict.kind === 'account_refused'
  if (found.kind === 'refused' && found.reason.startsWith('refused')) return failed(`It ${found.reason}.`)
  if (refusedCall) return failed(`It refused the credential (${asked.status}).`)
  const answered = kindOf(backend).check !== undefined && found.kind !== 'down'
  if (answered || (asked !== undefined && asked.status !== 0)) return passed('They are taken.')
  return skipped('Nothing answered, so nobody could tell.')
}

function ofModels(found: ListFinding): Told {
  switch (found.kind) {
    case 'listed':
      return passed(`Models that are known: ${found.models.length}.`)
    case 'no_list':
      return skipped(`It has no list of models (it answered ${found.status}).`)
    default:
      return failed(`It ${found.reason}.`)
  }
}

function ofCall(model: string, { verdict, status }: Asked): Told {
  if (verdict.kind === 'served') return passed(`A call of one token to ${model} was served.`)
  if (status === 0 && 'reason' in verdict) return failed(`No answer to ${model}: ${verdict.reason}.`)
  return failed(`${WORDS[verdict.kind]} (${model}, status ${status}).`)
}

const WORDS: Readonly<Record<Exclude<Verdict['kind'], 'served'>, string>> = {
  callers: 'It refused a call of one token',
  account_unreachable: 'It cannot be reached',
  account_refused: 'It refused the credential',
  account_unpaid: 'The account cannot pay',
  pair_failed: 'It failed with this model',
  pair_cooldown: 'It asks to wait with this model',
  model_not_offered: 'It does not offer this model to the account',
  foreign: 'Something in between refused the call, such as a proxy or a firewall',
  ours: 'This machine has no network or no room for another connection',
}
