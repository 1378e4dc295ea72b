// Prints what failed by the reports of reporter.mjs, and how many tests passed and failed in all. A report that cannot be read is a
// failure.
import { readFileSync } from 'node:fs'

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
  passed += report.passed
  failed += report.failures.length
  for (const failure of report.failures) console.log(`FAILED: ${failure}`)
}
console.log(`tests: ${passed} passed, ${failed} failed`)
