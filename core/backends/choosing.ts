/** Which backend a call goes to. Pure reading: nothing is claimed, counted or remembered here. */
import { matchesAny } from '../glob.ts'
import type { Backend } from '../settings.ts'
import { conversationHash, drawOf } from './affinity.ts'
import { EVIDENCE_MS, standingOf } from './health.ts'
import { accountKey, pairKey } from './health-key.ts'
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

const ANSWERED_LATELY_MS = 120_000
const BADNESS = { usable: 0, due: 1, cooling_down: 2, ejected: 3, unavailable: 4, disabled: 5 }

export function createChooser(
  { settings, memory, clock, random, healthNameOf }: BalancerParts,
  backends: readonly Backend[],
) {
  const { affinity, people, firstByteAt } = memory
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
    let [best, bestScore] = [undefined as Backend | undefined, 0]
    let [due, dueScore] = [undefined as Backend | undefined, 0]
    let [home, homeScore] = [undefined as Backend | undefined, 0]
    for (const backend of serving(wanted)) {
      const draw = hash === undefined ? random() : drawOf(hash, backend.name)
      // Weighted rendezvous: the largest weight / -ln(u) wins, which gives each backend its share of conversations
      // and moves only those of a backend that went away (https://en.wikipedia.org/wiki/Rendezvous_hashing).
      const score = backend.weight / -Math.log(draw || Number.MIN_VALUE)
      if (score > homeScore) [home, homeScore] = [backend, score]
      if (tried.has(backend.name)) continue
      const stays = place?.backend === backend.name
      // Weight 0 drains: only conversations that it has already, and calls that can go nowhere else.
      if (backend.weight === 0 && !stays && wanted.boundTo === undefined) continue
      if (answering && !answersLately(backend)) continue
      const pair = pairKey(backend.name, healthName)
      const found = standing(backend, pair, now)
      const rank =
        stays && (place.moved || backend.weight === 0) ? Number.MAX_VALUE : score || Number.MIN_VALUE
      if (found === 'usable' && rank > bestScore) [best, bestScore] = [backend, rank]
      else if (found === 'due' && rank > dueScore && !wanted.teachesNothing && mayTry(backend, pair, person))
        [due, dueScore] = [backend, rank]
    }
    // The half-open call is one that ranks the backend first, or one that has no usable backend.
    const half = due && (!best || dueScore > bestScore)
    const chosen = half ? due : best
    return chosen && { backend: chosen, halfOpen: half === true, hash, home: home?.name }
  }
  const answersLately = ({ name }: Backend) =>
    clock.elapsed() - (firstByteAt.get(accountKey(name)) ?? Number.NEGATIVE_INFINITY) <= ANSWERED_LATELY_MS

  return { choose, pairOf, serving, standing }
}

type Where = Pick<Wanted, 'model' | 'boundTo' | 'onlyNative'>

function maySend({ model, boundTo, onlyNative }: Where, backend: Backend): boolean {
  if (boundTo !== undefined && boundTo !== backend.name) return false
  return canServe(backend, model) && (backend.speaksOpenAi || !onlyNative)
}

export function canServe(backend: Backend, model: string): boolean {
  return backend.models.length === 0 || matchesAny(backend.models, model)
}
