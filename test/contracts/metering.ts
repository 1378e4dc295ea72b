/** Bytes and figures of every call, whatever runtime the gateway is on. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { promptLosses, usageHourly, usageLogs } from '../../core/db/schema.ts'
import { STREAMS } from '../cases/streams.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, messageJson, messageStream, sse, startUpstream } from '../support/upstream.ts'

const ASK = {
  model: 'claude-opus-5-5',
  max_tokens: 50,
  stream: true,
  messages: [{ role: 'user', content: 'hi' }],
}

export function meteringContract({ name, start, abilities }: Runtime) {
  describe(`metering on ${name}`, () => {
    let upstream: FakeUpstream
    let gateway: Gateway
    beforeAll(async () => {
      upstream = await startUpstream()
      // Streams that break off on purpose must not eject the only backend.
      const health = { startup_check: 'off', failure_threshold: 1000 }
      gateway = await start({ backends: [{ name: 'a', url: upstream.url }], health })
    })
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
    })
    const inPieces = (body: string, size: number) => {
      const bytes = Buffer.from(body)
      return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      )
    }

    test.each(STREAMS)('$name: the same bytes and the right row', async ({ body, row }) => {
      for (const size of [1_000_000, 17]) {
        upstream.answer({ chunks: inPieces(body, size) })
        const answer = await gateway.send(ASK)
        expect(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from(body))).toBe(true)
        expect(await gateway.rowOf(answer)).toMatchObject({
          ...row,
          stream: true,
          backend: 'a',
          statusCode: 200,
        })
      }
    })

    test('F21: an answer that comes compressed is metered as any other', async () => {
      const body = messageStream({ usage: { input_tokens: 1234 } }).join('')
      const headers = { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }
      upstream.answer({ headers, chunks: [gzipSync(body)] })
      const answer = await gateway.send(ASK)
      expect(await answer.text()).toBe(body)
      const figures = { inputTokens: 1234, outputTokens: 20, estimated: false }
      expect(await gateway.rowOf(answer)).toMatchObject(figures)

      upstream.answer({ headers: { ...headers, 'content-encoding': 'gzip, gzip' }, chunks: [gzipSync(body)] })
      const refused = await gateway.send(ASK)
      expect(refused.status).toBe(502)
      expect(await refused.json()).toMatchObject({ type: 'error', error: { type: 'api_error' } })
    })

    test('a media type counts in any case', async () => {
      const headers = { 'content-type': 'Text/Event-Stream ;charset=UTF-8' }
      upstream.answer({ headers, chunks: messageStream() })
      const answer = await gateway.send(ASK)
      await answer.text()
      expect(answer.headers.get('x-accel-buffering')).toBe('no')
      const figures = { inputTokens: 10, outputTokens: 20, estimated: false, outcome: 'ok' }
      expect(await gateway.rowOf(answer)).toMatchObject(figures)
    })

    test('an event of 10 MB goes through whole, and what follows it is still metered', async () => {
      const big = sse({
        type: 'content_block_delta',
        index: 0,
        delta: { type: 'text_delta', text: 'x'.repeat(10_000_000) },
      })
      const frames = messageStream()
      const body = [...frames.slice(0, 3), big, ...frames.slice(3)]
      upstream.answer({ chunks: body })
      const answer = await gateway.send(ASK)
      expect((await answer.text()).length).toBe(body.join('').length)
      expect(await gateway.rowOf(answer)).toMatchObject({ outputTokens: 20, estimated: false, outcome: 'ok' })
    })

    test('a cut is a cut for the client, and books what went by', async () => {
      const frames = messageStream({ text: ['12345678', '1234'] })
      for (let events = 1; events < frames.length - 1; events++) {
        upstream.answer({ chunks: [...frames.slice(0, events), 20], end: 'reset' })
        const answer = await gateway.send(ASK)
        await expect(answer.text()).rejects.toThrow()
        const final = events >= frames.length - 1
        const output = events < 4 ? 1 : events === 4 ? 2 : 3
        const figures = { inputTokens: 10, outputTokens: final ? 20 : output, estimated: !final }
        expect(await gateway.rowOf(answer)).toMatchObject({ ...figures, outcome: 'upstream_cut' })
      }
    })

    test('what an answer tells of lost caches and thinking is counted, streamed or whole', async () => {
      const diagnostics = { cache_miss_reason: { type: 'system_changed', cache_missed_input_tokens: 900 } }
      const drop = {
        type: 'thinking_dropped',
        path: 'messages.1.content.0',
        reason: 'model_binding_mismatch',
      }
      const told = { diagnostics, input_transformations: [drop, drop, { type: 'from_the_future' }, 7] }
      const model = 'claude-sonnet-5-5'
      const [start = '', ...rest] = messageStream()
      const begun = { ...JSON.parse(start.slice(start.indexOf('{'))).message, ...told }
      upstream.answer({ chunks: [sse({ type: 'message_start', message: begun }), ...rest] })
      const streamed = await gateway.send({ ...ASK, model })
      await streamed.text()
      await gateway.rowOf(streamed)
      const json = { 'content-type': 'application/json' }
      upstream.answer({ headers: json, chunks: [JSON.stringify({ ...JSON.parse(messageJson()), ...told })] })
      const whole = await gateway.send({ ...ASK, model, stream: false })
      await whole.text()
      await gateway.rowOf(whole)
      const losses = await gateway.db.select().from(promptLosses)
      expect(losses).toMatchObject([
        { model, kind: 'cache_miss', reason: 'system_changed', calls: 2, blocks: 0, tokens: 1800 },
        { model, kind: 'thinking_dropped', reason: 'model_binding_mismatch', calls: 2, blocks: 4, tokens: 0 },
      ])
    })

    test('a whole answer that is cut is estimated by the request and by what the model wrote', async () => {
      const whole = messageJson({ text: 'x'.repeat(400) })
      const headers = { 'content-type': 'application/json' }
      upstream.answer({ headers, chunks: [whole.slice(0, whole.indexOf('"usage"')), 20], end: 'reset' })
      const answer = await gateway.send({ ...ASK, stream: false })
      await expect(answer.text()).rejects.toThrow()
      const figures = { inputTokens: 26, outputTokens: 100, costMicros: 26 * 4 + 100 * 20, estimated: true }
      expect(await gateway.rowOf(answer)).toMatchObject({ ...figures, outcome: 'upstream_cut' })
    })

    test.each([
      ['/v1/chat/completions', { messages: ASK.messages }, '"code":"upstream_cut"'],
      // The types of OpenAI's SDK know a few codes only; server_error is the one for this.
      ['/v1/responses', { input: 'hi' }, '"status":"failed","error":{"code":"server_error"'],
    ])(
      'a cut on %s is told as an error behind which the answer ends, and is recorded as a cut',
      async (path, asked, told) => {
        upstream.answer({ chunks: [...messageStream().slice(0, 4), 20], end: 'reset' })
        const answer = await gateway.send({ model: ASK.model, stream: true, ...asked }, { path })
        expect(await answer.text()).toContain(told)
        expect(await gateway.rowOf(answer)).toMatchObject({ outcome: 'upstream_cut', estimated: true })
      },
    )

    test.skipIf(abilities.hearsLeaving !== 'at once')(
      'a client that leaves after any event leaves one row, and the upstream is told',
      async () => {
        const frames = messageStream({ text: ['12345678', '1234'] })
        for (let events = 1; events < frames.length; events++) {
          upstream.answer({ chunks: frames.slice(0, events), end: 'hang' })
          const stop = new AbortController()
          const answer = await gateway.send(ASK, { signal: stop.signal })
          const expected = frames.slice(0, events).join('')
          let got = ''
          for await (const chunk of answer.body ?? []) {
            got += new TextDecoder().decode(chunk)
            if (got.length >= expected.length) break
          }
          stop.abort()
          expect(got).toBe(expected)
          const usageSeen = events >= frames.length - 1
          const row = await gateway.rowOf(answer)
          expect(row).toMatchObject({ inputTokens: 10, outcome: 'client_aborted', estimated: !usageSeen })
          if (usageSeen) expect(row?.outputTokens).toBe(20)
          await expect.poll(() => upstream.requests.at(-1)?.aborted).toBe(true)
        }
      },
    )

    test('the log, its hourly sums and the budget agree to the micro-dollar', async () => {
      const logs = await gateway.db.select().from(usageLogs)
      const hours = await gateway.db.select().from(usageHourly)
      for (const figure of ['costMicros', 'inputTokens', 'outputTokens', 'cacheReadTokens'] as const) {
        const sum = (rows: Record<typeof figure, number>[]) =>
          rows.reduce((total, row) => total + row[figure], 0)
        expect(sum(hours)).toBe(sum(logs))
      }
      expect(hours.reduce((total, { requests }) => total + requests, 0)).toBe(logs.length)
      // Once they were by the millisecond: libSQL binds numbers as real ones.
      expect(hours.filter(({ hour }) => hour % 3_600_000 !== 0)).toEqual([])
    })
  })
}
