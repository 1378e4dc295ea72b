/** The dashboard and the rules, at a real Prometheus that scraped a real gateway. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'
import { prometheusName } from '../../core/observability/prometheus.ts'
import { METRIC_NAMES, METRICS } from '../../core/observability/table.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { HAS_PROMETHEUS, type RealPrometheus, startPrometheus } from '../support/prometheus.ts'
import { errorJson, type FakeUpstream, startUpstream } from '../support/upstream.ts'

const FOLDER = resolve('adapters/node/monitoring')
const RULES = join(FOLDER, 'prometheus-rules.yaml')
/** Grafana's name for a variable of the dashboard. */
const DATASOURCE = `$\{datasource}`
const Dashboard = z.looseObject({
  uid: z.string(),
  title: z.string(),
  panels: z.array(
    z.looseObject({
      id: z.int(),
      type: z.enum(['row', 'stat', 'timeseries']),
      title: z.string(),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int().max(24), h: z.int() }),
      targets: z
        .array(
          z.looseObject({
            refId: z.string(),
            expr: z.string(),
            datasource: z.object({ uid: z.literal(DATASOURCE) }),
          }),
        )
        .default([]),
    }),
  ),
})
const Rules = z.object({
  groups: z.array(
    z.object({ rules: z.array(z.looseObject({ expr: z.string(), record: z.string().optional() })) }),
  ),
})
const dashboard = Dashboard.parse(JSON.parse(readFileSync(join(FOLDER, 'grafana-dashboard.json'), 'utf8')))
const { groups } = Rules.parse(parse(readFileSync(RULES, 'utf8')))
const rules = groups.flatMap((group) => group.rules)
const queries = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => [title, expr] as const),
)

describe('the dashboard and the rules', () => {
  test('name only metrics that there are', () => {
    const names = METRIC_NAMES.flatMap((name) => {
      const { kind } = METRICS[name]
      const base = prometheusName(name)
      if (kind === 'histogram') return ['_bucket', '_sum', '_count'].map((end) => base + end)
      return [kind === 'counter' ? `${base}_total` : base]
    })
    const known = new Set([...names, ...rules.flatMap(({ record }) => record ?? []), 'up'])
    const named = [...queries.map(([, expr]) => expr), ...rules.map(({ expr }) => expr)].flatMap((expr) => [
      ...expr
        .replaceAll(/\{[^}]*\}|\((job|le)[^)]*\)/g, '')
        .matchAll(/\b(?:\w+:)*(?:claude_gateway|gen_ai|http|nodejs|process)_[\w:]+/g),
    ])
    expect(named.length).toBeGreaterThan(50)
    const labels = /^(gen_ai_(request_model|token_type)|http_response_status_code)$/
    expect(named.map(([name]) => name).filter((name) => !known.has(name) && !labels.test(name))).toEqual([])
  })

  test('the dashboard has one panel in each place, each with an id of its own', () => {
    const places = dashboard.panels.map(({ gridPos: { x, y } }) => `${x} ${y}`)
    expect(new Set(places).size).toBe(places.length)
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(places.length)
  })
})

/** Without Prometheus it is left out, except in CI. */
describe.skipIf(!HAS_PROMETHEUS && !process.env.CI)(
  'at a real Prometheus (apt-get install prometheus)',
  () => {
    test.each(['check rules prometheus-rules.yaml', 'test rules prometheus-rules.test.yaml'])(
      'promtool %s',
      (command) => {
        const { status, stdout, stderr } = spawnSync('promtool', command.split(' '), {
          cwd: FOLDER,
          encoding: 'utf8',
        })
        expect([status, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining('SUCCESS')])
      },
    )

    describe('after a gateway had a day of everything', () => {
      let upstream: FakeUpstream
      let gateway: TestGateway
      let metricsUrl: string
      let prometheus: RealPrometheus
      beforeAll(async () => {
        upstream = await startUpstream()
        const port = await freePort()
        metricsUrl = `http://127.0.0.1:${port}/metrics`
        gateway = await startGateway({
          backends: [{ name: 'a', url: upstream.url }],
          metrics: { port },
          // Nobody listens there.
          otlp: { endpoint: 'http://127.0.0.1:9', interval: '1s' },
        })
        prometheus = await startPrometheus(`127.0.0.1:${port}`, RULES)
        await vi.waitFor(async () => expect(await prometheus.query('up == 1')).toHaveLength(1), 20_000)
        // Rates need figures from before and from after.
        for (let round = 0; round < 2; round += 1) {
          await callAll(gateway, upstream)
          const scraped = async () => (await prometheus.query('sum(claude_gateway_calls_total)'))[0]?.value
          await vi.waitFor(async () => expect(await scraped()).toBeGreaterThan(5 * round + 4), 20_000)
        }
      })
      afterAll(async () => {
        await prometheus?.stop()
        await gateway?.stop()
        await upstream?.stop()
      })

      test('promtool finds nothing wrong with its text, and Prometheus takes all of it', async () => {
        const input = await (await fetch(metricsUrl)).text()
        const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
          input,
          encoding: 'utf8',
        })
        expect([status, stdout, stderr]).toEqual([0, '', ''])
        expect(await prometheus.lastError()).toBe('')
        const [{ value } = { value: 0 }] = await prometheus.query('scrape_samples_scraped')
        expect(value).toBeGreaterThan(100)
      })

      test.each(queries)('the panel "%s" has data: %s', async (_title, expr) => {
        const asked = expr.replaceAll('$__rate_interval', '1m').replaceAll('$job', '.+')
        await expect.poll(() => prometheus.query(asked)).not.toEqual([])
      })

      test.each(rules.flatMap(({ record }) => record ?? []))('the rule %s has data', async (record) => {
        await expect.poll(() => prometheus.query(record)).not.toEqual([])
      })
    })
  },
)

/** Calls of every kind, some of which fail. */
async function callAll(gateway: TestGateway, upstream: FakeUpstream) {
  const ask = { model: 'claude-opus-5-5', max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] }
  upstream.reset()
  for (const [path, body] of [
    ['/v1/messages', { ...ask, stream: true }],
    ['/v1/messages', ask],
    ['/v1/chat/completions', ask],
  ] as const) {
    await (await gateway.send(body, { path })).text()
  }
  upstream.answer({ status: 200, chunks: ['{"id":"msgbatch_1","processing_status":"in_progress"}'] })
  const batch = { requests: [{ custom_id: 'one', params: ask }] }
  await (await gateway.send(batch, { path: '/v1/messages/batches' })).text()
  upstream.answer({ status: 500, chunks: [errorJson('api_error')] })
  await (await gateway.send({ ...ask, model: 'claude-haiku-5-5' })).text()
  const limited = await gateway.newKey({ requestsPerMinute: 1 })
  const statusOfLimited = async () => (await gateway.send(ask, { key: limited.secret })).status
  await vi.waitFor(async () => expect(await statusOfLimited()).toBe(429), 20_000)
  await fetch(`${gateway.url}/v1/nowhere`)
}
