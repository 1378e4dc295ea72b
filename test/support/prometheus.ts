/** A real Prometheus (Debian's), that scrapes what a test names, for as long as the test wants it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import * as z from 'zod'
import { isInstalled } from './installed.ts'
import { freePort } from './ports.ts'
import { temporaryFolder } from './stores.ts'

export const HAS_PROMETHEUS = ['prometheus', 'promtool'].every(isInstalled)

const Answer = z.object({
  status: z.string(),
  error: z.string().optional(),
  data: z
    .object({
      result: z.array(
        z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) }),
      ),
    })
    .optional(),
})

export interface RealPrometheus {
  /** What a query answers now: the labels of each series, and its value. Throws if Prometheus does not take the query. */
  query(expression: string): Promise<{ labels: Record<string, string>; value: number }[]>
  /** The last scrape as Prometheus tells it; '' if it went well. */
  lastError(): Promise<string>
  stop(): Promise<void>
}

/** Scrapes `target` (host and port) twice a second as the job claude-gateway. Throws when there is no prometheus. */
export async function startPrometheus(target: string, rules: string): Promise<RealPrometheus> {
  if (!HAS_PROMETHEUS) throw new Error('There is no prometheus: apt-get install prometheus')
  const folder = temporaryFolder()
  const config = {
    global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '500ms' },
    rule_files: [rules],
    scrape_configs: [{ job_name: 'claude-gateway', static_configs: [{ targets: [target] }] }],
  }
  const file = join(folder.path, 'prometheus.yml')
  writeFileSync(file, stringify(config))
  const address = `127.0.0.1:${await freePort()}`
  const options = [`--config.file=${file}`, `--storage.tsdb.path=${folder.path}/data`]
  const child = spawn('prometheus', [...options, `--web.listen-address=${address}`], {
    stdio: 'ignore',
    env: { ...process.env, GOMAXPROCS: '1' },
  })
  const ask = async (path: string) => (await fetch(`http://${address}${path}`)).json()
  const isReady = () =>
    fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  while (!(await isReady())) {
    if (child.exitCode !== null) throw new Error(`prometheus ended with ${child.exitCode}`)
    await sleep(50)
  }
  return {
    async query(expression) {
      const { status, error, data } = Answer.parse(
        await ask(`/api/v1/query?query=${encodeURIComponent(expression)}`),
      )
      if (status !== 'success') throw new Error(`${expression}: ${error}`)
      return (data?.result ?? []).map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
    },
    async lastError() {
      const targets = z
        .object({ data: z.object({ activeTargets: z.array(z.object({ lastError: z.string() })) }) })
        .parse(await ask('/api/v1/targets'))
      return targets.data.activeTargets[0]?.lastError ?? 'no target'
    },
    async stop() {
      child.kill('SIGTERM')
      await once(child, 'exit')
      folder.remove()
    },
  }
}
