// Prints the failed tests of vitest's JSON reports, and how many passed and failed in all. A report that cannot be read is a failure.
import { readFileSync } from 'node:fs'

const MESSAGE_LINES = 25

let passed = 0
let failed = 0
for (const file of process.argv.slice(2)) {
  let report
  try {
    report = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    console.log(`FAILED: a suite left no report: ${error.message}`)
    failed += 1
    continue
  }
  passed += report.numPassedTests
  failed += report.numFailedTests
  for (const suite of report.testResults.filter((one) => one.status === 'failed')) {
    const tests = suite.assertionResults.filter((one) => one.status === 'failed')
    if (tests.length === 0) {
      failed += 1
      console.log(`FAILED: ${suite.name}\n${suite.message}`)
    }
    for (const test of tests) {
      const lines = test.failureMessages.join('\n').split('\n').slice(0, MESSAGE_LINES)
      console.log(`FAILED: ${suite.name}\n  ${test.fullName}\n    ${lines.join('\n    ')}`)
    }
  }
}
console.log(`tests: ${passed} passed, ${failed} failed`)
