/** The primary process's end of all that its workers share: limits, health and figures. */
import type { Duplex } from 'node:stream'
import type { Clock } from '../../../core/ports.ts'
import { answerWorker } from './channel.ts'
import { type HostedFigures, hostFigures } from './figures.ts'
import { hostHealth } from './health.ts'
import { hostLimits } from './limits.ts'

/** Answers the worker at the other end of a socket until that closes. */
export type ServeWorker = (socket: Duplex) => void

export function createPrimaryStores(clock: Clock, figures: HostedFigures = hostFigures()): ServeWorker {
  const limits = hostLimits(clock)
  const health = hostHealth()
  return (socket) => {
    const counting = limits.connect()
    const telling = figures.connect()
    answerWorker(socket, { ...counting.handlers, ...telling.handlers, ...health })
    socket.once('close', counting.closed)
    socket.once('close', telling.closed)
  }
}
