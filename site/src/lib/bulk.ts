/** The same for many, a few at a time. */
const AT_ONCE = 4

/** Those for which it worked, and the first error of the others. */
export async function forEach<R>(
  rows: readonly R[],
  action: (row: R) => Promise<unknown>,
): Promise<{ done: R[]; failed: number; problem: unknown }> {
  const left = [...rows]
  const done: R[] = []
  let problem: unknown
  const work = async () => {
    for (let row = left.shift(); row !== undefined; row = left.shift()) {
      try {
        await action(row)
        done.push(row)
      } catch (cause) {
        problem ??= cause
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return { done, failed: rows.length - done.length, problem }
}
