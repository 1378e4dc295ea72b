/** What a schema found wrong, by code, in our words. A check that only the schema knows has its own. */
import type * as z from 'zod'
import { type Parameters, type Problem, type ProblemCode, problem, saidBy } from '../core/problems.ts'

type Issue = z.core.$ZodIssue

const TYPES = new Map(
  Object.entries<ProblemCode>({
    string: 'text',
    number: 'number',
    int: 'whole',
    boolean: 'boolean',
    array: 'list',
    object: 'object',
    record: 'object',
  }),
)

export function problemOf(issue: Issue): Problem {
  const { message } = issue
  const said = saidBy(message)
  if (said) return said
  const [code, params = {}] = kindOf(issue)
  const isOurs = code !== 'other' && code !== 'form'
  return isOurs ? problem(code, params) : { code, params, message }
}

function kindOf(issue: Issue): [code: ProblemCode, params?: Parameters] {
  switch (issue.code) {
    case 'invalid_type':
      return [issue.input === undefined ? 'required' : (TYPES.get(issue.expected) ?? 'other')]
    case 'invalid_value':
      return ['one_of', { values: issue.values.map(String).join(', ') }]
    case 'too_small': {
      const n = Number(issue.minimum)
      if (issue.origin === 'string') return n === 1 ? ['required'] : ['too_short', { n }]
      return [issue.origin === 'array' ? 'too_few' : 'at_least', { n }]
    }
    case 'too_big': {
      const n = Number(issue.maximum)
      if (issue.origin === 'string') return ['too_long', { n }]
      return [issue.origin === 'array' ? 'too_many' : 'at_most', { n }]
    }
    case 'invalid_format':
      return ['form']
    case 'invalid_union':
      return 'options' in issue && Array.isArray(issue.options)
        ? ['one_of', { values: issue.options.map(String).join(', ') }]
        : ['other']
    default:
      return ['other']
  }
}
