/**
 * Stops work under way. It is the part of AbortController that the gateway needs, without the EventTarget, because an
 * EventTarget per call costs more than all decisions about the call. Every AbortSignal is a StopSignal.
 */
export interface StopSignal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** The reason of a stop that no caller wanted: this process ends and waits no longer. */
export class ProcessEnds extends Error {}

export interface Stop {
  signal: StopSignal
  /** The first reason counts; later calls change nothing. */
  abort(reason: unknown): void
}

export function createStop(): Stop {
  let listeners: (() => void)[] = []
  const signal = {
    aborted: false,
    reason: undefined as unknown,
    addEventListener(_type: 'abort', listener: () => void) {
      listeners.push(listener)
    },
    removeEventListener(_type: 'abort', listener: () => void) {
      const at = listeners.indexOf(listener)
      if (at >= 0) listeners.splice(at, 1)
    },
  }
  return {
    signal,
    abort(reason) {
      if (signal.aborted) return
      signal.aborted = true
      signal.reason = reason
      const listening = listeners
      listeners = []
      for (const listener of listening) listener()
    },
  }
}
