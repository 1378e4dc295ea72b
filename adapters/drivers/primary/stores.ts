/** The primary process's end of all stores that its workers share: limits and health. */
import type { Duplex } from 'node:stream'
import type { Clock } from '../../../core/ports.ts'
import type { Period } from '../../../core/settings.ts'
import { answerWorker } from './channel.ts'
import { hostHealth } from './health.ts'
import { hostLimits } from './limits.ts'

/** Answers the worker at the other end of a socket until that closes. */
export type ServeWorker = (socket: Duplex) => void

/** `period`: what quotas and budgets are counted over. */
export function createPrimaryStores(clock: Clock, period: Period): ServeWorker {
  const limits = hostLimits(clock, period)
  const health = hostHealth()
  return (socket) => {
    const { handlers, closed } = limits.connect()
    answerWorker(socket, { ...handlers, ...health })
    socket.once('close', closed)
  }
}
