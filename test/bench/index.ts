/**
 * `npm run bench [-- --quick] [names of scenarios]`: the gateway with everything on (keys, limits, metering, journal, log) against
 * a bare node:http pipe, by turns. A full run writes what it measured to results.json and to the README.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { type Results, readResults, withTable } from './results.ts'
import { summarize } from './rounds.ts'
import type { Scale, Scenario } from './scenario.ts'
import { BESIDE } from './scenarios/beside.ts'
import { CALLS } from './scenarios/calls.ts'
import { DEVICES } from './scenarios/devices.ts'
import { PROCESSES } from './scenarios/processes.ts'
import { STREAMING } from './scenarios/streams.ts'
import { openStage } from './stage.ts'

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  ...CALLS,
  ...DEVICES,
  ...STREAMING,
  ...BESIDE,
  ...PROCESSES,
}
const QUICK = process.argv.includes('--quick')
const FULL_SCALE: Scale = { rounds: 9, before: 2, share: (full) => full }
const QUICK_SCALE: Scale = { rounds: 3, before: 1, share: (full) => Math.ceil(full / 5) }
const README = join(import.meta.dirname, '../../README.md')
const RESULTS = join(import.meta.dirname, 'results.json')

const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const unknown = asked.filter((name) => !SCENARIOS[name])
if (unknown.length > 0) {
  console.error(`There is no scenario ${unknown.join(', ')}, but: ${Object.keys(SCENARIOS).join(', ')}`)
  process.exit(1)
}

const scale = QUICK ? QUICK_SCALE : FULL_SCALE
const stage = await openStage()
const results: Results = QUICK ? { scenarios: {} } : readResults(RESULTS)
const machine = {
  cpu: cpus()[0]?.model ?? '',
  cores: cpus().length,
  node: process.version,
  pinned: stage.pinned,
}
try {
  for (const name of asked.length > 0 ? asked : Object.keys(SCENARIOS)) {
    const scenario = SCENARIOS[name]
    if (scenario) results.scenarios[name] = await measured(name, scenario)
  }
} finally {
  await stage.stop()
}
if (!QUICK) {
  const text = JSON.stringify(results, (_, value) => (Array.isArray(value) ? value.map(rounded) : value), 1)
  writeFileSync(RESULTS, `${text.replaceAll(/\[\s+(\S+)\s+(\S+)\s+(\S+)\s+\]/g, '[$1 $2 $3]')}\n`)
  writeFileSync(README, withTable(readFileSync(README, 'utf8'), readResults(RESULTS)))
}
process.exit(0)

async function measured(
  name: string,
  { about, ratios, run }: Scenario,
): Promise<Results['scenarios'][string]> {
  const startedAt = performance.now()
  const metrics = summarize(await run(stage, scale), ratios)
  await stage.clear()
  console.log(`\n${name}: ${about} (${Math.round((performance.now() - startedAt) / 1_000)} s)`)
  for (const [metric, values] of Object.entries(metrics)) {
    console.log(`  ${metric}`)
    for (const [of, [low, middle, high]] of Object.entries(values))
      console.log(
        `    ${of.padEnd(28)} ${[middle, low, high].map((value) => value.toPrecision(4)).join('  ')}`,
      )
  }
  return { about, at: new Date().toISOString().slice(0, 16), machine, rounds: scale.rounds, metrics }
}

function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
