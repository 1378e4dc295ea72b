/** Restarts of all workers, however many are asked for at once. */

/**
 * Runs one restart at a time. Those that are asked for meanwhile are done as one, with the configuration that came last;
 * undefined = the one in force. `restart` never rejects.
 */
export function oneAtATime<T>(restart: (next: T | undefined) => Promise<void>): (next?: T) => void {
  let waiting: { next: T | undefined } | undefined
  let isRestarting = false
  async function run() {
    isRestarting = true
    while (waiting) {
      const { next } = waiting
      waiting = undefined
      await restart(next)
    }
    isRestarting = false
  }
  return (next) => {
    waiting = { next: next ?? waiting?.next }
    if (!isRestarting) void run()
  }
}
