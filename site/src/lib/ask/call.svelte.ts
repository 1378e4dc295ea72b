/** A call from a page and what has come of it so far, for components to show. Who makes one stops it when the page is left. */
import { api, type Log } from '../api/index.ts'
import type { AnswerSoFar } from './answer.ts'
import { ask, CallRefused } from './ask.ts'
import type { Asked } from './asked.ts'
import type { PageKey } from './page-key.svelte.ts'

const LOOK_MS = 500
/** A call's row is written right after it; a log that is late is not waited for. */
const LOOKS = 20

export class Call {
  busy = $state(false)
  answer = $state.raw<AnswerSoFar>()
  problem = $state.raw<unknown>()
  /** By whoever asked. */
  stopped = $state(false)
  /** Ms from the request to the first piece of the answer. */
  firstMs = $state<number>()
  requestId = $state<string>()
  /** Its row of the log, with what it cost. */
  log = $state.raw<Log>()
  #abort = new AbortController()
  #key: PageKey

  constructor(key: PageKey) {
    this.#key = key
  }

  /** Returns whether an answer came to its end. `name`: that of the key. */
  async send(asked: Asked, name: string): Promise<boolean> {
    this.#abort = new AbortController()
    const { signal } = this.#abort
    this.busy = true
    this.stopped = false
    this.answer = this.problem = this.firstMs = this.requestId = this.log = undefined
    try {
      const key = await this.#key.get(name)
      const began = performance.now()
      await ask(asked, {
        key,
        signal,
        onbegin: (id) => {
          this.requestId = id
        },
        onpiece: (answer) => {
          this.firstMs ??= performance.now() - began
          this.answer = answer
        },
      })
      return true
    } catch (cause) {
      this.stopped = signal.aborted
      if (!signal.aborted) this.problem = cause
      // Somebody deleted or disabled the key of the page: the next call has another.
      if (cause instanceof CallRefused && cause.status === 401) this.#key.end()
      return false
    } finally {
      this.busy = false
      void this.#price(this.requestId)
    }
  }

  stop() {
    this.#abort.abort()
  }

  async #price(id: string | undefined) {
    for (let look = 0; id && look < LOOKS && this.requestId === id; look += 1) {
      const found = await api.logs('own', { request_id: id, page_size: 1 }).catch(() => undefined)
      this.log = found?.logs[0]
      if (this.log) return
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }
}
