/** The script of the thread that works on the database file of a server, so that no stream waits for a statement. */
import { DatabaseUnavailable } from '../../../core/errors.ts'
import type { Fields } from '../../../core/ports.ts'
import { answerQuestions, giveNotice } from '../../shared/thread.ts'
import {
  type Notice,
  type Opening,
  type Question,
  type Reply,
  UNAVAILABLE,
  unusable,
} from './database-questions.ts'
import { type Guard, guardFile } from './guard.ts'
import { openSql, type PatientSql } from './patience.ts'

class Unavailable extends Error {
  readonly code = UNAVAILABLE
}

let served: { sql: PatientSql; guard: Guard } | undefined

answerQuestions(async (question: Question): Promise<Reply> => {
  try {
    return await answered(question)
  } catch (cause) {
    throw cause instanceof DatabaseUnavailable ? new Unavailable(cause.message) : cause
  }
})

async function answered(question: Question): Promise<Reply> {
  if ('open' in question) {
    served = await serve(question.open)
    return []
  }
  if (!served) throw new Unavailable('The database is not open.')
  const { sql, guard } = served
  if ('execute' in question) return [await sql.execute(question.execute)]
  if ('batch' in question) return sql.batch(question.batch)
  guard.close()
  if (!guard.problem()) sql.close()
  return []
}

async function serve({ path, file, pragmas, background }: Opening) {
  const check = () => {
    const problem = guard?.problem()
    if (problem) throw unusable(path, problem)
  }
  let guard: Guard | undefined
  const sql = await openSql(path, pragmas, { check, background })
  const log =
    (level: 'info' | 'error') =>
    (event: string, fields: Fields = {}) =>
      giveNotice<Notice>({ level, event, fields })
  const onProblem = (problem: string) => giveNotice<Notice>({ problem })
  guard = guardFile(path, file, { logger: { info: log('info'), error: log('error') }, onProblem })
  return { sql, guard }
}
