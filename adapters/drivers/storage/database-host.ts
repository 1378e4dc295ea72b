/** Statements on the database file of a server, which a thread of their own runs. */
import { extname, join } from 'node:path'
import { DatabaseUnavailable } from '../../../core/errors.ts'
import type { Logger } from '../../../core/ports.ts'
import { startThread, type Thread, ThreadEnded, ThreadFault } from '../../shared/thread.ts'
import type { Sql } from './client.ts'
import { type Answer, SqlError } from './connection.ts'
import {
  type Notice,
  type Opening,
  type Question,
  type Reply,
  UNAVAILABLE,
  unusable,
} from './database-questions.ts'
import { replaced } from './guard.ts'

const SCRIPT = join(import.meta.dirname, `database-thread${extname(import.meta.filename)}`)

export type DatabaseThread = Thread<Question, Reply, Notice>

/** Starts a thread without a database. */
export const startDatabaseThread = (): DatabaseThread => startThread(SCRIPT)

/** Statements in a thread. One that ends is an error, and the next statement starts another. */
export function inThread(first: DatabaseThread, opening: Opening, logger: Logger) {
  const problem = createProblem(opening, logger)
  let running: Promise<DatabaseThread> | undefined
  let closed = false

  async function open(thread: DatabaseThread) {
    thread.hear({
      notice(notice) {
        if ('problem' in notice) problem.tell(notice.problem)
        else logger[notice.level](notice.event, notice.fields)
      },
      ended(cause) {
        running = undefined
        logger.error('database.thread_ended', { path: opening.path, cause: String(cause) })
      },
    })
    try {
      await thread.ask({ open: opening })
      return thread
    } catch (cause) {
      await thread.end()
      running = undefined
      throw cause
    }
  }
  async function ask(question: Question): Promise<Answer[]> {
    if (closed) throw new DatabaseUnavailable('The database is closed.')
    if (!running && problem.look()) problem.check()
    running ??= open(startDatabaseThread())
    return running.then((thread) => thread.ask(question)).catch(rethrow)
  }
  const sql: Sql = {
    async execute(statement) {
      const [answer] = await ask({ execute: statement })
      if (!answer) throw new Error('The thread of the database answered nothing.')
      return answer
    },
    batch: (statements) => ask({ batch: statements }),
  }
  return {
    sql,
    check: problem.check,
    async open() {
      running = open(first)
      await running.catch(rethrow)
    },
    /** Closes the file and ends the thread; false if the file must not be closed. */
    async close(): Promise<boolean> {
      if (running || !problem.look()) await ask({ close: true })
      closed = true
      const thread = await running
      if (problem.known()) thread?.unref()
      else await thread?.end()
      return problem.known() === undefined
    },
  }
}

/** Why the file must not be touched any more. */
function createProblem({ path, file }: Opening, logger: Logger) {
  let problem: string | undefined
  return {
    known: () => problem,
    /** Throws DatabaseUnavailable if there is one. */
    check() {
      if (problem) throw unusable(path, problem)
    },
    tell(told: string) {
      problem = told
    },
    /** Looks, because another thread would take whatever file is there for the database. */
    look(): boolean {
      if (problem) return true
      problem = replaced(path, file)
      if (problem) logger.error('database.replaced', { path, problem, hint: 'restart the gateway' })
      return problem !== undefined
    },
  }
}

/** Throws an error of the thread as it would be without one. */
function rethrow(cause: unknown): never {
  if (cause instanceof ThreadEnded) {
    throw new DatabaseUnavailable('The thread of the database ended.', { cause })
  }
  if (!(cause instanceof ThreadFault) || cause.code === '') throw cause
  throw cause.code === UNAVAILABLE
    ? new DatabaseUnavailable(cause.message)
    : new SqlError(cause.code, cause.message)
}
