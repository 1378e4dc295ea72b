/**
 * Ledger for Workers: the limits of each user and their keys are in a Durable Object, and so is each pool; each isolate writes
 * its own records. A call asks one object after the other, the user's first, so that whoever is over their own limit holds
 * nothing that others share. Pools without limits are not asked.
 */
import { isLimited } from '../../../core/limits/shared-states.ts'
import type { Admission, Admitted, Ledger, Owner } from '../../../core/ports.ts'
import type { LedgerObject } from '../durable-objects/ledger.ts'
import { type SharedParts, sharedLedger } from './shared.ts'

/** A pool does not hear of calls that were admitted before it was limited, so it looks into the database more often. */
const POOL_SEED_MS = 10_000

type Namespace = DurableObjectNamespace<LedgerObject>

/** `seedMs`: after this time an object takes what was used from the database again. */
export function durableLedger(
  parts: SharedParts & { namespace: Namespace; seedMs: number },
): Promise<Ledger> {
  const { namespace } = parts
  const reserve = createReserve(parts)
  /** Pools that hold something for calls of this isolate. */
  const pools = new Map<string, readonly Owner[]>()

  return sharedLedger(parts, {
    async reserve(call) {
      const asked = partsOf(call)
      const admitted = await reserve(call.begun.id, asked)
      const [, ...ofPools] = asked
      if (admitted.ok && ofPools.length > 0) {
        pools.set(
          call.begun.id,
          ofPools.flatMap(({ counters }) => counters),
        )
      }
      return admitted
    },
    async renew(call) {
      await Promise.all(partsOf(call).map(async (part) => await objectFor(namespace, part).renew(part)))
    },
    async settle(record, written) {
      const owners: Owner[] = [{ scope: 'user', id: record.userId }, ...(pools.get(record.id) ?? [])]
      pools.delete(record.id)
      // The row is written first, because an evicted object reads its counts from the database again.
      await written
      await Promise.all(owners.map(async (owner) => await objectOf(namespace, owner).settle(record)))
    },
    // Each object writes the rows of its own.
    lost: async () => [],
  })
}

function objectOf(namespace: Namespace, { scope, id }: Owner) {
  return namespace.getByName(`${scope} ${id}`)
}

/** `part`: what one object is asked. */
function objectFor(namespace: Namespace, { begun, counters: [first] }: Admission) {
  return objectOf(namespace, first ?? { scope: 'user', id: begun.userId })
}

/** Asks one object after the other; the answer is that of the user's, or the first refusal. */
function createReserve({ namespace, seedMs }: { namespace: Namespace; seedMs: number }) {
  /** Nobody waits: what is not given back ends by itself. */
  function giveBack(taken: readonly Admission[], id: string) {
    for (const part of taken)
      void objectFor(namespace, part)
        .cancel(id)
        .catch(() => {})
  }
  /** Nobody waits: a call that still runs is renewed before its hold ends. */
  function confirm(taken: readonly Admission[]) {
    for (const part of taken)
      void objectFor(namespace, part)
        .renew(part)
        .catch(() => {})
  }
  return async (id: string, asked: readonly Admission[]): Promise<Admitted> => {
    const answers: Admitted[] = []
    for (const [at, part] of asked.entries()) {
      const settings = {
        seedMs: at === 0 ? seedMs : Math.min(seedMs, POOL_SEED_MS),
        unconfirmed: at < asked.length - 1,
      }
      try {
        const admitted = await objectFor(namespace, part).reserve(part, settings)
        answers.push(admitted)
        if (admitted.ok) continue
        giveBack(asked.slice(0, at), id)
        return admitted
      } catch (cause) {
        // Perhaps only the answer was lost.
        giveBack(asked.slice(0, at + 1), id)
        throw cause
      }
    }
    confirm(asked.slice(0, -1))
    return answers[0] ?? { ok: true, used: undefined }
  }
}

/** What each object is asked: that of the user and their keys, then each limited pool, smallest first. */
function partsOf(call: Admission): Admission[] {
  const { counters } = call
  const ofUser = counters.filter(({ scope }) => scope === 'user' || scope === 'key')
  const limited = counters.filter((counter) => !ofUser.includes(counter) && isLimited(counter))
  return [{ ...call, counters: ofUser }, ...limited.map((pool) => ({ ...call, counters: [pool] }))]
}
