/** Something that is loaded, and loaded again when what it depends on changes. The old stays in sight until the new is there. */
export class Resource<T> {
  data = $state.raw<T>()
  error = $state.raw<unknown>()
  loading = $state(true)
  /** What is in sight answers an older question than the one that is asked. */
  outdated = $state(false)
  #load: () => Promise<T>
  #turn = 0

  constructor(load: () => Promise<T>) {
    this.#load = load
    $effect(() => {
      this.outdated = true
      void this.reload()
    })
  }

  /** An answer that a later request has overtaken is dropped. */
  async reload(): Promise<void> {
    const turn = ++this.#turn
    // What the loader reads before its first await is what it is loaded again for.
    const loading = this.#load()
    this.loading = true
    try {
      const data = await loading
      if (turn !== this.#turn) return
      this.data = data
      this.error = undefined
      this.outdated = false
    } catch (cause) {
      if (turn !== this.#turn) return
      this.error = cause
      if (this.outdated) this.data = undefined
    } finally {
      if (turn === this.#turn) this.loading = false
    }
  }
}

/** Answers with the same object while it says the same, so that what is loaded by it is not loaded again. */
export function unchanged<T>(): (next: T) => T {
  let last: { text: string; value: T } | undefined
  return (value) => {
    const text = JSON.stringify(value)
    if (last?.text !== text) last = { text, value }
    return last.value
  }
}

/** Runs `action` every `ms` while the page is in sight, for as long as the component lives. */
export function every(ms: number, action: () => unknown) {
  $effect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') void action()
    }, ms)
    return () => clearInterval(timer)
  })
}
