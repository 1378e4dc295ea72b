/** What Node tells of this process. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { gauge } from '../../core/observability/gauges.ts'
import type { Series } from '../../core/observability/series.ts'

const NANOSECONDS = 1e9
/** A timer that often; every 10 ms, as is usual, took 0.4 % of a core from an idle process. */
const RESOLUTION_MS = 50

/** Begins to watch the event loop. Each call tells how it was since the one before. */
export function watchProcess(): () => Series[] {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  let before = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    const { user, system } = process.cpuUsage()
    // What is measured is the time between two ticks of a timer.
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1000)
    const figures = [
      gauge('nodejs.eventloop.delay.p50', late(delay.percentile(50))),
      gauge('nodejs.eventloop.delay.p99', late(delay.percentile(99))),
      gauge('nodejs.eventloop.delay.max', late(delay.max)),
      gauge('nodejs.eventloop.utilization', utilization),
      gauge('process.cpu.time', user / 1e6, 'user'),
      gauge('process.cpu.time', system / 1e6, 'system'),
      gauge('process.memory.usage', process.memoryUsage.rss()),
    ]
    delay.reset()
    return figures
  }
}
