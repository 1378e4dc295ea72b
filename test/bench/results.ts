/** The results of the bench, and the table of them in the README. */
import { readFileSync } from 'node:fs'
import * as z from 'zod'

const Quartiles = z.tuple([z.number().nullable(), z.number().nullable(), z.number().nullable()])
const Results = z.object({
  /** By name: when and where it was measured, and by metric the quartiles of variants and ratios. */
  scenarios: z.record(
    z.string(),
    z.object({
      about: z.string(),
      at: z.string(),
      machine: z.object({ cpu: z.string(), cores: z.number(), node: z.string(), pinned: z.boolean() }),
      rounds: z.number(),
      metrics: z.record(z.string(), z.record(z.string(), Quartiles)),
    }),
  ),
})
export type Results = z.infer<typeof Results>

export function readResults(path: string): Results {
  return Results.parse(JSON.parse(readFileSync(path, 'utf8')))
}

interface Row {
  what: string
  scenario: string
  metric: string
  /** The variants in the columns, and the ratio. */
  columns: readonly [yardstick: string, ours: string]
}

const OF_PIPE = ['pipe', 'gateway'] as const
/** What the README tells, in its order. */
const ROWS: readonly Row[] = [
  { what: 'small call, µs of CPU', scenario: 'small', metric: 'cpu_us', columns: OF_PIPE },
  { what: 'small call, one connection, ms', scenario: 'one', metric: 'p50_ms', columns: OF_PIPE },
  {
    what: 'small call of a cold process (warm beside it), µs',
    scenario: 'cold',
    metric: 'cpu_us',
    columns: ['warm', 'cold'],
  },
  { what: 'call of 200 KB, µs', scenario: '200 KB', metric: 'cpu_us', columns: OF_PIPE },
  { what: 'call of 1 MB, µs', scenario: '1 MB', metric: 'cpu_us', columns: OF_PIPE },
  {
    what: 'call of 1 MB full of escapes, µs',
    scenario: '1 MB of escapes',
    metric: 'cpu_us',
    columns: OF_PIPE,
  },
  { what: 'chat completion, translated, µs', scenario: 'chat', metric: 'cpu_us', columns: OF_PIPE },
  {
    what: 'the same of a model that thinks, from its stream, µs',
    scenario: 'thinking chat',
    metric: 'cpu_us',
    columns: OF_PIPE,
  },
  { what: 'event of a stream, µs', scenario: 'events', metric: 'cpu_us_per_event', columns: OF_PIPE },
  { what: 'event, translated, µs', scenario: 'chat events', metric: 'cpu_us_per_event', columns: OF_PIPE },
  {
    what: 'first byte of 50 streams opened at once, ms',
    scenario: 'opening',
    metric: 'first_byte_p50_ms',
    columns: OF_PIPE,
  },
  {
    what: 'memory of an open stream, KiB',
    scenario: 'stream memory',
    metric: 'kib_per_stream',
    columns: OF_PIPE,
  },
  { what: 'start to first answer, ms', scenario: 'start', metric: 'start_ms', columns: OF_PIPE },
  { what: 'idle memory, MB', scenario: 'start', metric: 'idle_mb', columns: OF_PIPE },
  {
    what: "others' calls beside an export (alone beside it), p99, ms",
    scenario: 'export',
    metric: 'p99_ms',
    columns: ['alone', 'beside'],
  },
  {
    what: "others' calls beside changes of keys (alone beside it), p99, ms",
    scenario: 'keys',
    metric: 'p99_ms',
    columns: ['alone', 'beside'],
  },
  {
    what: 'calls a second, 2 workers (1 worker beside it)',
    scenario: 'workers',
    metric: 'calls_a_second',
    columns: ['1 worker', '2 workers'],
  },
]

const BEGIN = '<!-- figures of test/bench/results.json -->'
const END = '<!-- end of figures -->'

/** The text with the table between its marks. Throws if there are no marks. */
export function withTable(readme: string, results: Results): string {
  const [before, rest] = readme.split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined) throw new Error('the README has no place for figures')
  return `${before}${BEGIN}\n\n${tableOf(results)}\n\n${END}${after}`
}

function tableOf({ scenarios }: Results): string {
  const rows = ROWS.flatMap(({ what, scenario, metric, columns: [yardstick, ours] }) => {
    const values = scenarios[scenario]?.metrics[metric]
    const ratio = values?.[`${ours} / ${yardstick}`]
    if (!values || !ratio) return []
    return [
      [
        what,
        short(values[yardstick]?.[1]),
        short(values[ours]?.[1]),
        `${short(ratio[1])} (${short(ratio[0])}–${short(ratio[2])})`,
      ],
    ]
  })
  if (rows.length === 0) return 'There is no full run yet.'
  const lines = [['', 'bare pipe', 'gateway', 'ratio (quartiles)'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const lineOf = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  const [head = [], ...body] = lines
  return [lineOf(head), rule, ...body.map(lineOf)].join('\n')
}

/** Three digits that count. */
function short(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)))
}
