/** Which backend a call goes to. Pure reading: nothing is claimed, counted or remembered here. */
import { matchesAny } from '../glob.ts'
import { type Backend, HIGHEST_PRIORITY } from '../settings.ts'
import { conversationHash, drawOf } from './affinity.ts'
import { EVIDENCE_MS, standingOf } from './health.ts'
import { accountKey, pairKey } from './health-key.ts'
import { kindOf } from './kinds/kinds.ts'
import type { BalancerParts, Wanted } from './selection.ts'

export interface Chosen {
  backend: Backend
  /** The backend is out and its wait is over: the call has to claim the half-open try before it is sent. */
  halfOpen: boolean
  /** The conversation's hash; undefined for a call that is not kept together with others. */
  hash: number | undefined
  /** The backend that the conversation's hash leads to, whether it is usable or not. */
  home: string | undefined
}

/** How much a backend is wanted for a call: by its tier first, then by its score. */
interface Ranked {
  backend: Backend
  tier: number
  score: number
}

function better(one: Ranked, other: Ranked | undefined): Ranked {
  if (!other || one.tier > other.tier) return one
  return one.tier === other.tier && one.score > other.score ? one : other
}

const ANSWERED_LATELY_MS = 120_000
const BADNESS = { usable: 0, due: 1, cooling_down: 2, ejected: 3, unavailable: 4, disabled: 5 }

export function createChooser(
  { settings, memory, clock, random, healthNameOf }: BalancerParts,
  backends: readonly Backend[],
) {
  const { affinity, people, firstByteAt, rates } = memory
  const books = [memory.shared, memory.local]
  const sticky = settings.balancer.strategy === 'sticky'
  const pairOf = (backend: Backend, model: string) => pairKey(backend.name, healthNameOf(model))
  const serving = (wanted: Where) => backends.filter((backend) => backend.enabled && maySend(wanted, backend))

  /** The worst standing that is known of the account or of the pair. */
  function standing(backend: Backend, pair: string, now: number) {
    let worst: ReturnType<typeof standingOf> = 'usable'
    for (const book of books) {
      if (book.size() === 0) continue
      for (const key of [accountKey(backend.name), pair]) {
        const found = standingOf(book.get(key), now)
        if (BADNESS[found] > BADNESS[worst]) worst = found
      }
    }
    return worst
  }
  /** Whether this person may make the half-open call: nobody makes two in a row while others call. */
  function mayTry(backend: Backend, pair: string, person: number) {
    const hadLast = books.some((book) =>
      [accountKey(backend.name), pair].some((key) => {
        const health = book.get(key)
        return health?.lastTry?.person === person && standingOf(health, clock.now()) === 'due'
      }),
    )
    return !hadLast || clock.elapsed() - people.othersAt(pair, person) > EVIDENCE_MS
  }

  function choose(wanted: Wanted, tried: ReadonlySet<string>, answering: boolean): Chosen | undefined {
    const { person, conversation } = wanted
    const now = clock.now()
    const hash = sticky && conversation ? conversationHash(conversation.id) : undefined
    const place = hash === undefined ? undefined : affinity.placeOf(person, hash, now)
    const healthName = healthNameOf(wanted.model)
    let best: Ranked | undefined
    let due: Ranked | undefined
    let home: Ranked | undefined
    for (const backend of serving(wanted)) {
      const draw = hash === undefined ? random() : drawOf(hash, backend.name)
      // Weighted rendezvous: the largest weight / -ln(u) wins, which gives each backend its share of conversations
      // and moves only those of a backend that went away (https://en.wikipedia.org/wiki/Rendezvous_hashing).
      const score = backend.weight / -Math.log(draw || Number.MIN_VALUE)
      if (score > 0) home = better({ backend, tier: backend.priority, score }, home)
      if (tried.has(backend.name)) continue
      const stays = place?.backend === backend.name
      // Weight 0 drains: only conversations that it has already, and calls that can go nowhere else.
      if (backend.weight === 0 && !stays && wanted.boundTo === undefined) continue
      if (answering && !answersLately(backend)) continue
      const pair = pairKey(backend.name, healthName)
      const found = standing(backend, pair, now)
      const tier =
        stays && (place.moved || backend.weight === 0)
          ? Number.MAX_VALUE
          : backend.priority + (stays || rates.hasRoom(backend.name, now) ? HIGHEST_PRIORITY + 1 : 0)
      const ranked = { backend, tier, score }
      if (found === 'usable') best = better(ranked, best)
      else if (found === 'due' && better(ranked, due) === ranked && !wanted.teachesNothing)
        if (mayTry(backend, pair, person)) due = ranked
    }
    // The half-open call is one that ranks the backend first, or one that has no usable backend.
    const chosen = due ? better(due, best) : best
    return chosen && { backend: chosen.backend, halfOpen: chosen === due, hash, home: home?.backend.name }
  }
  const answersLately = ({ name }: Backend) =>
    clock.elapsed() - (firstByteAt.get(accountKey(name)) ?? Number.NEGATIVE_INFINITY) <= ANSWERED_LATELY_MS

  return { choose, pairOf, serving, standing }
}

type Where = Pick<Wanted, 'model' | 'boundTo' | 'onlyNative' | 'uses' | 'bytes'>

function maySend(wanted: Where, backend: Backend): boolean {
  const { model, boundTo, onlyNative } = wanted
  if (boundTo !== undefined && boundTo !== backend.name) return false
  if (!canServe(backend, model) || (onlyNative && !backend.speaksOpenAi)) return false
  return lackOf(wanted, backend) === undefined
}

/** The first field of a call that this kind of backend cannot do, or 'body' for one that is too long; undefined if it can serve it. */
function lackOf({ uses, bytes = 0 }: Pick<Wanted, 'uses' | 'bytes'>, backend: Backend): string | undefined {
  const { lacks, mostBytes } = kindOf(backend)
  if (mostBytes !== undefined && bytes > mostBytes) return 'body'
  if (!uses || lacks.size === 0) return undefined
  for (const [ability, path] of uses) if (lacks.has(ability)) return path
  return undefined
}

export function canServe(backend: Backend, model: string): boolean {
  return backend.models.length === 0 || matchesAny(backend.models, model)
}

/** What the first of these backends that serves the model cannot do; undefined if any of them can serve the call as it is. */
export function lackOfAll(
  wanted: Pick<Wanted, 'model' | 'uses' | 'bytes'>,
  backends: readonly Backend[],
): string | undefined {
  const serving = backends.filter((backend) => backend.enabled && canServe(backend, wanted.model))
  const lacks = serving.map((backend) => lackOf(wanted, backend))
  return lacks.every((lack) => lack !== undefined) ? lacks[0] : undefined
}
