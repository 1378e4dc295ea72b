// A reporter of vitest that writes how many tests passed and failed, and each failure with its cause: also those of hooks, which
// vitest's JSON leaves out.
import { writeFileSync } from 'node:fs'

const CAUSE_LINES = 25

export default class {
  onTestRunEnd(modules, unhandled) {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const suites = modules.flatMap((module) => [module, ...module.children.allSuites()])
    const failures = [
      ...suites.map((suite) => failureOf(nameOf(suite), suite.errors())),
      ...tests.map((test) => failureOf(nameOf(test), test.result().errors ?? [])),
      failureOf('outside of the tests', unhandled),
    ].filter((failure) => failure !== undefined)
    const passed = tests.filter((test) => test.result().state === 'passed').length
    writeFileSync(process.env.TEST_REPORT, JSON.stringify({ passed, failures }))
  }
}

function nameOf(part) {
  return part.type === 'module' ? part.moduleId : `${part.module.moduleId}\n  ${part.fullName}`
}

function failureOf(name, errors) {
  if (errors.length === 0) return undefined
  const causes = errors.map(({ message, stack }) =>
    stack?.includes(message) ? stack : `${message}\n${stack}`,
  )
  return `${name}\n    ${causes.join('\n').split('\n').slice(0, CAUSE_LINES).join('\n    ')}`
}
