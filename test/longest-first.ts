/** The order of test files: those that take longest begin first, so that none of them is what everything waits for at the end. */
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Those that wait stand between those that work. */
const LONGEST = [
  'runtimes/workers',
  'runtimes/lambda',
  'drivers/durable-objects',
  'drivers/ledger-database',
  'process/kills-redis',
  'process/node',
  'process/restore',
  'process/kills-database',
  'process/replaced',
  'process/restarts',
  'process/readme',
  'process/namespaces',
  'process/lifecycle',
  'process/cli-organisation',
  'process/systemd',
  'process/reports',
  'process/many',
  'drivers/journal-room',
  'browser/every-page',
  'browser/many',
  'browser/site',
  'browser/company',
  'browser/explore',
  'browser/readers',
  'browser/requests',
  'browser/mishaps',
  'browser/playground',
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
