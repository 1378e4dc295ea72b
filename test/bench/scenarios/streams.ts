/** Streams, each with a phase of its own. */
import type { Question } from '../bodies.ts'
import { median, quantile, residentBytes } from '../measure.ts'
import { byTurns } from '../rounds.ts'
import { type Scenario, TO_PIPE } from '../scenario.ts'
import { ofEach, startCopies } from '../stage.ts'

const STREAMS = 50
const EVENTS = 200
const OPEN_STREAMS = 1_000

function events(about: string, question: Question): Scenario {
  return {
    about,
    ratios: TO_PIPE,
    async run(stage, scale) {
      const streams = { count: STREAMS, events: scale.share(EVENTS), gapMs: 10 }
      return byTurns(
        ofEach(await startCopies(stage), async (target) => {
          let gapMs: number[] = []
          const cpu = await stage.cpuOf(target, async () => {
            const done = await stage.load({ kind: 'streams', target, question, streams })
            gapMs = done.gapMs
          })
          const delay = (share: number) => quantile(gapMs, share) - streams.gapMs
          return { cpu_us_per_event: cpu / (STREAMS * streams.events), delay_p99_ms: delay(0.99) }
        }),
        scale,
      )
    },
  }
}

const opening: Scenario = {
  about: `${STREAMS} streams that are opened at once, with connections of their own: their first bytes`,
  ratios: TO_PIPE,
  run: async (stage, scale) =>
    byTurns(
      ofEach(await startCopies(stage), async (target) => {
        const streams = { count: STREAMS, events: 3, gapMs: 10 }
        const { firstByteMs } = await stage.load({ kind: 'streams', target, question: 'stream', streams })
        return { first_byte_p50_ms: median(firstByteMs), first_byte_last_ms: Math.max(...firstByteMs) }
      }),
      // Each opens few streams, so that compilers are late.
      { rounds: 2 * scale.rounds, before: 20 * scale.before },
    ),
}

const memory: Scenario = {
  about: `memory of an open stream, of ${OPEN_STREAMS} on a fresh process`,
  ratios: TO_PIPE,
  async run(stage, { rounds, share }) {
    const count = share(OPEN_STREAMS)
    const fresh = async (start: () => Promise<{ pid: number; port: number; key: string }>) => {
      const target = await start()
      const before = residentBytes(target.pid)
      await stage.load({ kind: 'hold', target, count })
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      const kib = (residentBytes(target.pid) - before) / count / 1024
      await stage.load({ kind: 'release', target })
      await stage.clear()
      return { kib_per_stream: kib }
    }
    return byTurns(
      { pipe: () => fresh(stage.startPipe), gateway: () => fresh(stage.startGateway) },
      { rounds: Math.min(3, rounds) },
    )
  },
}

export const STREAMING: Readonly<Record<string, Scenario>> = {
  events: events(`events of ${STREAMS} streams, each in its own phase`, 'stream'),
  'chat events': events(`events of ${STREAMS} streams, translated to chat completions`, 'chat stream'),
  opening,
  'stream memory': memory,
}
