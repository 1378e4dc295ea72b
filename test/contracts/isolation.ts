/** One person's trouble is nobody else's, whatever goes wrong with their calls and whatever runtime the gateway is on. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { FAULTS, type Fault, MODEL } from '../cases/callers-faults.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import {
  type AskedRequest,
  type FakeUpstream,
  messageJson,
  messageStream,
  startUpstream,
} from '../support/upstream.ts'

const OTHERS = 10
/** Enough to reach any threshold several times over. */
const TIMES = 7
const JSON_TYPE = { 'content-type': 'application/json' }

export function isolationContract({ name, start, abilities }: Runtime) {
  describe(`isolation on ${name}`, () => {
    let upstreams: FakeUpstream[]
    let gateway: Gateway
    let troubled: string
    let others: { secret: string; userId: number }[]
    let played: Fault | undefined

    beforeAll(async () => {
      upstreams = await Promise.all([startUpstream(), startUpstream()])
      for (const upstream of upstreams) {
        upstream.answer((asked) =>
          isTroubled(asked) && played?.script ? played.script(asked) : ordinary(asked),
        )
        upstream.counts((asked) => (isTroubled(asked) && played?.script ? played.script(asked) : COUNTED))
      }
      gateway = await start({
        backends: upstreams.map(({ url }, i) => ({ name: `backend-${i}`, url })),
        // Long enough that a loaded machine is not taken for an upstream that hangs.
        retry: { first_byte_timeout: '3s', whole_answer_timeout: '3s', idle_timeout: '3s' },
      })
      troubled = (await gateway.newKey()).secret
      others = await Promise.all(Array.from({ length: OTHERS }, () => gateway.newKey()))
      const known = async ({ secret }: { secret: string }) =>
        (await fetch(`${gateway.url}/v1/models`, { headers: { 'x-api-key': secret } })).status
      for (const other of [{ secret: troubled }, ...others]) {
        await vi.waitFor(async () => expect(await known(other)).toBe(200), 10_000)
      }
    })
    afterAll(async () => {
      await gateway?.stop()
      for (const upstream of upstreams ?? []) await upstream.stop()
    })

    /** One ordinary call of somebody else; answers what was wrong with it. */
    const callOf = async ({ secret }: { secret: string }, stream: boolean): Promise<string | undefined> => {
      const messages = [{ role: 'user', content: `of somebody else ${crypto.randomUUID()}` }]
      const answer = await gateway.send({ model: MODEL, max_tokens: 50, messages, stream }, { key: secret })
      const text = await answer.text().catch((cause) => `cut: ${cause}`)
      const whole = answer.status === 200 && text.includes(stream ? 'message_stop' : '"type":"message"')
      return whole ? undefined : `${answer.status} ${text.slice(0, 200)}`
    }
    /** All of them, as many at the same time as half of the places for calls. */
    const inTurns = async <T>(works: (() => Promise<T>)[]): Promise<T[]> => {
      const results: T[] = []
      const waiting = works.values()
      const worker = async () => {
        for (const work of waiting) results.push(await work())
      }
      await Promise.all(Array.from({ length: Math.ceil(abilities.atOnce / 2) }, worker))
      return results
    }

    test.each(FAULTS)(
      '$what: nobody else sees a failure',
      async (fault) => {
        played = fault
        const trouble = () => fault.send(gateway, troubled).catch(() => {})
        const wrong: (string | undefined)[] = []
        const first = inTurns(Array.from({ length: TIMES }, () => trouble))
        const asked = (stream: boolean) => inTurns(others.map((other) => () => callOf(other, stream)))
        wrong.push(...(await asked(true)))
        await first
        await gateway.runTasks()
        wrong.push(...(await asked(false)))
        expect(wrong.filter(Boolean)).toEqual([])
      },
      80_000,
    )

    test('every call of the others has one row with what the upstream says it used', async () => {
      const theirs = upstreams
        .flatMap(({ requests }) => requests)
        .filter(({ body }) => body.includes('of somebody else'))
      expect(theirs).toHaveLength(FAULTS.length * 2 * OTHERS)
      const ids = new Set(others.map(({ userId }) => userId))
      const ofOthers = async () => (await gateway.rows(0)).filter((row) => ids.has(row.userId))
      await expect.poll(async () => (await ofOthers()).length).toBe(theirs.length)
      for (const row of await ofOthers()) {
        expect(row).toMatchObject({ outcome: 'ok', inputTokens: 10, outputTokens: 20, attempts: 1 })
      }
    })
  })
}

const COUNTED = { headers: JSON_TYPE, chunks: ['{"input_tokens":7}'] }

function isTroubled({ body }: AskedRequest): boolean {
  return body.includes('TROUBLE')
}

function ordinary({ body }: AskedRequest) {
  return body.includes('"stream":true')
    ? { chunks: messageStream() }
    : { headers: JSON_TYPE, chunks: [messageJson()] }
}
