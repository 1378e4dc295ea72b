/** Metrics and live figures of all workers, in the memory of the primary process. What a worker reported stays when it ends. */
import * as z from 'zod'
import { createMerged } from '../../../core/observability/merge.ts'
import { LiveState, type Processes } from '../../../core/observability/processes.ts'
import { type Series, SeriesList } from '../../../core/observability/series.ts'
import type { Handlers, PrimaryChannel } from './channel.ts'

const Report = z.object({ series: SeriesList, live: LiveState })

export interface HostedFigures {
  /** Handlers for one worker, and what is to be done when its socket closes. */
  connect(): { handlers: Handlers; closed(): void }
  figures(): readonly Series[]
}

/** `ofPrimary`: what the primary process adds of itself. */
export function hostFigures(ofPrimary: () => readonly Series[] = () => []): HostedFigures {
  const merged = createMerged<symbol>()
  const live = new Map<symbol, LiveState>()
  const primary = Symbol('primary')
  const figures = () => {
    merged.report(primary, ofPrimary())
    return merged.all()
  }
  return {
    figures,
    connect() {
      const worker = Symbol('worker')
      return {
        handlers: {
          'figures.report'(body) {
            const report = Report.parse(body)
            merged.report(worker, report.series)
            live.set(worker, report.live)
          },
          'figures.all': figures,
          'figures.live': () => [...live.values()],
        },
        closed() {
          merged.ended(worker)
          live.delete(worker)
        },
      }
    },
  }
}

export interface PrimaryFigures extends Processes {
  /** Tells the primary how this worker is. */
  report(): void
}

/**
 * A worker's end. `changes`: series that changed since the last call, and all gauges. Figures of the other workers are as old
 * as their last report.
 */
export function primaryFigures(
  channel: Pick<PrimaryChannel, 'ask' | 'tell'>,
  own: { changes(): Series[]; live(): LiveState },
): PrimaryFigures {
  let told = ''
  const report = () => {
    const series = own.changes()
    const live = own.live()
    const text = JSON.stringify(live)
    if (series.length === 0 && text === told) return
    told = text
    // A worker whose primary is gone ends.
    channel.tell('figures.report', { series, live }).catch(() => {})
  }
  return {
    report,
    async figures() {
      report()
      return SeriesList.parse(await channel.ask('figures.all', null))
    },
    async live() {
      report()
      return z.array(LiveState).parse(await channel.ask('figures.live', null))
    },
  }
}
