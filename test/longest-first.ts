/** The order of test files: those that take longest begin first, so that none of them is what everything waits for at the end. */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const LONGEST = [
  'drivers/ledger-database',
  'drivers/durable-objects',
  'runtimes/workers',
  'runtimes/lambda',
  'process/kills',
  'drivers/journal-room',
  'drivers/storage',
  'process/node-accounting',
  'process/replaced',
  'process/restarts',
  'process/restore',
  'process/lifecycle',
  'process/namespaces',
]

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex((part) => moduleId.includes(`/test/${part}`))
      return found < 0 ? LONGEST.length : found
    }
    return sorted.toSorted((a, b) => rank(a) - rank(b))
  }
}
