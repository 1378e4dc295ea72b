/** Calls that are answered as a whole. */
import type { Question } from '../bodies.ts'
import { median, quantile } from '../measure.ts'
import { byTurns, type Metrics } from '../rounds.ts'
import { type Scenario, TO_PIPE } from '../scenario.ts'
import { ofEach, type Stage, type Subject, startCopies } from '../stage.ts'

interface Calls {
  question: Question
  total: number
  parallel: number
}

async function measureCalls(stage: Stage, subject: Subject, calls: Calls): Promise<Metrics> {
  let callMs: number[] = []
  const cpu = await stage.cpuOf(subject, async () => {
    const done = await stage.load({ kind: 'calls', target: subject, ...calls })
    callMs = done.callMs
  })
  return { cpu_us: cpu / calls.total, p50_ms: median(callMs), p99_ms: quantile(callMs, 0.99) }
}

/** `total` calls a round. `before`: more rounds that warm up, where calls are few. */
function calls(about: string, question: Question, parallel: number, total: number, before = 1): Scenario {
  return {
    about,
    ratios: TO_PIPE,
    async run(stage, scale) {
      const job = { question, parallel, total: scale.share(total) }
      const subjects = await startCopies(stage)
      return byTurns(
        ofEach(subjects, (subject) => measureCalls(stage, subject, job)),
        { rounds: scale.rounds, before: scale.before * before },
      )
    },
  }
}

const COLD_CALLS = 1_800

const cold: Scenario = {
  about: `the first ${COLD_CALLS} small calls of a process beside as many of the same process once it is warm`,
  ratios: [['cold', 'warm']],
  async run(stage, { rounds, share }) {
    const gateway = await stage.startGateway()
    const measure = (total: number) =>
      measureCalls(stage, gateway, { question: 'small', parallel: 16, total })
    return byTurns(
      {
        async cold() {
          await gateway.restart()
          await new Promise((resolve) => setTimeout(resolve, 1_500))
          return measure(COLD_CALLS)
        },
        async warm() {
          await measure(share(12_000))
          return measure(COLD_CALLS)
        },
      },
      { rounds, inOrder: true },
    )
  },
}

const afterStreams: Scenario = {
  about: 'small calls after a thousand streams were open at once, with 16 connections',
  ratios: TO_PIPE,
  async run(stage, scale) {
    const subjects = await startCopies(stage)
    const job = { question: 'small', parallel: 16, total: scale.share(1_500) } as const
    for (const target of Object.values(subjects)) {
      await stage.load({ kind: 'hold', target, count: scale.share(1_000) })
      await stage.load({ kind: 'release', target })
    }
    return byTurns(
      ofEach(subjects, (subject) => measureCalls(stage, subject, job)),
      { rounds: scale.rounds, before: 4 * scale.before },
    )
  },
}

export const CALLS: Readonly<Record<string, Scenario>> = {
  small: calls('small calls with 16 connections', 'small', 16, 1_500, 5),
  one: calls('small calls with one connection', 'small', 1, 500, 3),
  cold,
  'after streams': afterStreams,
  '200 KB': calls('calls of 200 KB with 4 connections', '200 KB', 4, 200, 2),
  '1 MB': calls('calls of 1 MB with 4 connections', '1 MB', 4, 60, 2),
  '1 MB of escapes': calls('calls of 1 MB full of escapes, with 4 connections', '1 MB of escapes', 4, 60, 2),
  chat: calls('chat completions, translated, with 16 connections', 'chat', 16, 800, 4),
  'thinking chat': calls(
    'chat completions of a model that thinks, put together from its stream, with 16 connections',
    'thinking chat',
    16,
    800,
    4,
  ),
}
