/** An isolate or a function that dies in the middle of answers has no journal, but its calls have their rows. */
import { beforeAll, describe, expect, test } from 'vitest'
import { ledgerHolds, usageLogs } from '../../core/db/schema.ts'
import { repairSums } from '../../core/reports/repair.ts'
import { buildLambda, LAMBDA_LOCAL, lambda } from '../support/lambda.ts'
import { messageStream, startUpstream } from '../support/upstream.ts'
import { WORKERS_WITHOUT_OBJECTS } from '../support/workers.ts'

const ASK = {
  model: 'claude-opus-5-5',
  max_tokens: 50,
  stream: true,
  messages: [{ role: 'user', content: 'hi' }],
}

beforeAll(buildLambda)

describe.each([WORKERS_WITHOUT_OBJECTS, lambda('Lambda (lambda-local)', LAMBDA_LOCAL)])(
  'on $name',
  ({ start }) => {
    test('calls that were killed in the middle are in the log, and their places are free', async () => {
      const upstream = await startUpstream()
      const backends = [{ name: 'a', url: upstream.url }]
      const gateway = await start({ backends, limits: { store: 'database', concurrent_requests: 2 } })
      upstream.answer({ chunks: messageStream().slice(0, 3), end: 'hang' })
      // The head of the second answer may wait for the end of its stream.
      const stop = new AbortController()
      const call = () => gateway.send(ASK, { signal: stop.signal }).catch(() => {})
      const calls = [call(), call()]
      await expect.poll(() => upstream.requests.length).toBe(2)
      await gateway.restart()
      stop.abort()
      await Promise.all(calls)
      expect(await gateway.db.select().from(usageLogs)).toEqual([])
      // As if time had passed.
      await gateway.db.update(ledgerHolds).set({ endsAt: 1 })
      await gateway.runTasks()
      await fetch(`${gateway.url}/healthz`)
      const rows = await gateway.rows(2)
      expect(rows.map(({ outcome, estimated }) => [outcome, estimated])).toEqual([
        ['interrupted', true],
        ['interrupted', true],
      ])
      upstream.reset()
      expect((await gateway.send({ ...ASK, stream: false })).status).toBe(200)
      expect(await repairSums(gateway.db, 0)).toBe(false)
      await gateway.stop()
      await upstream.stop()
    }, 60_000)
  },
)
