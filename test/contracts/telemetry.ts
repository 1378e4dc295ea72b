/** What Claude Code tells of itself reaches collectors, whatever runtime the gateway is on. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claudeCodeDays } from '../../core/db/schema.ts'
import { protobufOf } from '../support/claude-code-metrics.ts'
import { type FakeCollector, startCollector } from '../support/collector.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'

export function telemetryContract({ name, start }: Runtime) {
  describe(`telemetry on ${name}`, () => {
    let collector: FakeCollector
    let gateway: Gateway
    beforeAll(async () => {
      collector = await startCollector()
      gateway = await start({
        claude_code: { telemetry: [{ endpoint: collector.url, headers: { 'x-token': 'of the collector' } }] },
        backends: [{ name: 'a', url: 'http://127.0.0.1:9' }],
      })
    })
    afterAll(async () => {
      await gateway?.stop()
      await collector?.stop()
    })
    const tell = (signal: string, body: Uint8Array = new Uint8Array([0x0a, 0x00])) =>
      fetch(`${gateway.url}/v1/${signal}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${gateway.key}`,
          'content-type': 'application/x-protobuf',
          'content-encoding': 'gzip',
        },
        body: gzipSync(body),
      })

    test('metrics go on to a collector, traces do not, and both are answered', async () => {
      for (const signal of ['metrics', 'traces']) {
        const answer = await tell(signal)
        expect([answer.status, await answer.text()]).toEqual([200, ''])
      }
      await expect.poll(() => collector.requests.map(({ url }) => url)).toEqual(['/v1/metrics'])
      expect(collector.requests[0]?.headers).toMatchObject({ 'x-token': 'of the collector' })
      expect(JSON.stringify(collector.requests[0]?.headers)).not.toContain(gateway.key)
    })

    test('what people did is counted by day, once', async () => {
      const end = Date.now()
      const attributes = { 'session.id': 's-1', type: 'added' }
      const point = { attributes, start: end - 60_000, end }
      const body = await protobufOf([
        { name: 'claude_code.lines_of_code.count', value: 30, ...point },
        { name: 'claude_code.session.count', value: 1, ...point },
      ])
      for (let i = 0; i < 2; i++) expect((await tell('metrics', body)).status).toBe(200)
      const counted = async () => {
        const rows = await gateway.db.select().from(claudeCodeDays)
        return rows.map(({ kind, amount }) => `${amount} ${kind}`).toSorted()
      }
      await expect.poll(counted).toEqual(['1 sessions', '30 lines_added'])
    })
  })
}
