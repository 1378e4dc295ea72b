/** Tries a backend step by step for an administrator, and says in words how each step went. */
import { matchesAny } from '../glob.ts'
import type { MaybePromise } from '../ports.ts'
import { type Problem, problem } from '../problems.ts'
import type { Backend } from '../settings.ts'
import { askOnce, type CheckParts, type ListFinding, readModels } from './check.ts'
import { kindOf } from './kinds/kinds.ts'
import type { OwnCall } from './own-call.ts'

export const STEPS = ['credentials', 'models', 'call'] as const
export const OUTCOMES = ['passed', 'failed', 'skipped'] as const

/** What it says is of our own: no secret, and nothing of what the upstream said. */
export interface Step extends Problem {
  step: (typeof STEPS)[number]
  outcome: (typeof OUTCOMES)[number]
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
    const none = skipped(problem('try_nothing_to_ask_with'))
    return told(failed(problem('try_no_token')), none, none)
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
        ofCall(configured, asked)
      : skipped(problem('try_no_model')),
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

function passed(said: Problem): Told {
  return { outcome: 'passed', ...said }
}

function failed(said: Problem): Told {
  return { outcome: 'failed', ...said }
}

function skipped(said: Problem): Told {
  return { outcome: 'skipped', ...said }
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
  if (found.kind === 'refused' && found.status !== undefined)
    return failed(problem('try_refused', { status: found.status }))
  if (refusedCall) return failed(problem('try_refused', { status: asked.status }))
  const answered = kindOf(backend).check !== undefined && found.kind !== 'down'
  if (answered || (asked !== undefined && asked.status !== 0)) return passed(problem('try_taken'))
  return skipped(problem('try_nobody_answered'))
}

function ofModels(found: ListFinding): Told {
  switch (found.kind) {
    case 'listed':
      return passed(problem('try_models', { n: found.models.length }))
    case 'no_list':
      return skipped(problem('try_no_list', { status: found.status }))
    default:
      return failed(problem('try_list_failed', { reason: found.reason }))
  }
}

/** `model` is undefined for one of the upstream's list, whose words are not ours to repeat. */
function ofCall(model: string | undefined, { verdict, status }: Asked): Told {
  if (verdict.kind === 'served') {
    return passed(model === undefined ? problem('try_served_listed') : problem('try_served', { model }))
  }
  const said =
    status === 0 && 'reason' in verdict
      ? problem('try_no_answer', { reason: verdict.reason })
      : problem(`try_${verdict.kind}`, { status })
  return failed(model === undefined ? said : about(model, said))
}

function about(model: string, { code, params, message }: Problem): Problem {
  return { code, params: { ...params, model }, message: `${model}: ${message}` }
}
