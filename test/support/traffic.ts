/** Calls that come at a steady rate, and how each of them ended. */

const ASK = { model: 'claude-opus-5-5', max_tokens: 50, stream: true }
/** Longer than any answer of these tests, also on a machine that is busy. */
const HUNG_MS = 30_000
const AT_ONCE = 5

export interface Ended {
  answered: number
  /** Statuses other than 200, and errors of connections before an answer. */
  refused: string[]
  /** Streams without their last event. */
  cut: number
  hung: number
}

export interface Traffic {
  /** Calls whose answer has begun but not ended. */
  underWay(): number
  /** Calls whose answer came whole. */
  answered(): number
  /** Begins no more calls, waits for those under way and tells how all of them ended. */
  stop(): Promise<Ended>
}

/** Streamed calls; every second one on a connection of its own, the others on connections that are kept alive. */
export function startTraffic(given: { url: () => string; key: string; perSecond: number }): Traffic {
  const { url, key, perSecond } = given
  const ended: Ended = { answered: 0, refused: [], cut: 0, hung: 0 }
  const calls = new Set<Promise<void>>()
  let underWay = 0
  let sent = 0

  async function call(ownConnection: boolean) {
    const signal = AbortSignal.timeout(HUNG_MS)
    let answer: Response
    try {
      answer = await fetch(`${url()}/v1/messages`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-api-key': key,
          ...(ownConnection ? { connection: 'close' } : {}),
        },
        body: JSON.stringify({ ...ASK, messages: [{ role: 'user', content: crypto.randomUUID() }] }),
        signal,
      })
    } catch (cause) {
      if (signal.aborted) ended.hung += 1
      else ended.refused.push(`${ownConnection ? 'new' : 'kept'} connection: ${reasonOf(cause)}`)
      return
    }
    if (answer.status !== 200) ended.refused.push(`${answer.status} ${await answer.text()}`)
    else await read(answer, signal)
  }
  const reasonOf = (cause: unknown) => String(cause instanceof Error ? (cause.cause ?? cause) : cause)
  async function read(answer: Response, signal: AbortSignal) {
    underWay += 1
    try {
      const text = await answer.text()
      if (text.includes('event: message_stop')) ended.answered += 1
      else ended.cut += 1
    } catch {
      if (signal.aborted) ended.hung += 1
      else ended.cut += 1
    } finally {
      underWay -= 1
    }
  }
  const startedAt = performance.now()
  const timer = setInterval(() => {
    // A timer that comes late makes up for a few calls at most, because a machine that is behind would drown in them.
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond)
    for (let i = 0; i < AT_ONCE && sent < due; i++) {
      const done: Promise<void> = call(sent++ % 2 === 0).finally(() => calls.delete(done))
      calls.add(done)
    }
    sent = Math.max(sent, due - perSecond)
  }, 1000 / perSecond)
  return {
    underWay: () => underWay,
    answered: () => ended.answered,
    async stop() {
      clearInterval(timer)
      await Promise.all(calls)
      return ended
    },
  }
}
