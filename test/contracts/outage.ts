/** What becomes of calls while the store of limits and health cannot be reached, whatever runtime the gateway is on. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Runtime, SharingGateway } from '../support/runtime.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] }

export function outageContract({ name, startSharing }: Runtime) {
  describe.skipIf(!startSharing).each([
    [false, 'pass and are recorded', 200],
    [true, 'are refused, not to be retried', 429],
  ])(`the shared store away on ${name}, limits.fail_closed %s`, (fail_closed, what, status) => {
    let upstream: FakeUpstream
    let shared: SharingGateway
    beforeAll(async () => {
      upstream = await startUpstream()
      if (!startSharing) return
      shared = await startSharing({ backends: [{ name: 'a', url: upstream.url }], limits: { fail_closed } })
    })
    afterAll(async () => {
      await shared?.gateway.stop()
      await upstream?.stop()
    })
    beforeEach(() => upstream.reset())
    const readiness = async () => (await fetch(`${shared.gateway.url}/readyz`)).status
    const call = async () => {
      const answer = await shared.gateway.send(ASK)
      await answer.text()
      return answer
    }

    test(`calls ${what}, one line and /readyz say so, and it mends itself`, async () => {
      const { gateway, loseStore, regainStore } = shared
      expect([(await call()).status, await readiness()]).toEqual([200, 200])
      expect(gateway.output()).not.toContain('ledger.limits_failed')

      await loseStore()
      const answers = [await call(), await call(), await call()]
      expect(answers.map((answer) => answer.status)).toEqual([status, status, status])
      expect(await readiness()).toBe(503)
      expect(upstream.requests).toHaveLength(fail_closed ? 1 : 4)
      for (const answer of answers) {
        if (fail_closed) expect(answer.headers.get('x-should-retry')).toBe('false')
        else expect(await gateway.rowOf(answer)).toMatchObject({ outcome: 'ok', inputTokens: 10 })
      }
      const lines = () => gateway.output().match(/"level":"error","event":"ledger\.limits_failed"/g) ?? []
      await expect.poll(lines).toHaveLength(1)

      await regainStore()
      await expect.poll(async () => [(await call()).status, await readiness()]).toEqual([200, 200])
      expect(lines()).toHaveLength(1)
    })
  })
}
