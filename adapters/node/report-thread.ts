/**
 * The script of the thread that runs reports, lists and exports, with a connection of its own. Calls go first: on Linux the
 * thread has a low priority. Lists go before exports, which take turns with a piece each.
 */
import { constants, setPriority } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import type { Config } from '../../config/schema.ts'
import { settingsFrom } from '../../config/settings.ts'
import { systemClock } from '../../core/clock.ts'
import { asRefusal } from '../../core/errors.ts'
import { createPeriods } from '../../core/limits/period.ts'
import type { Db, Fields, Logger } from '../../core/ports.ts'
import { MINUTE_MS } from '../../core/units.ts'
import { runReport } from '../../functions/reports.ts'
import type { ReportDeps } from '../../functions/route.ts'
import { dbOf } from '../drivers/storage/client.ts'
import { connect } from '../drivers/storage/connection.ts'
import { patientSql } from '../drivers/storage/patience.ts'
import { answerQuestions, giveNotice } from '../shared/thread.ts'
import type { Notice, Question, Refused, Reply } from './report-questions.ts'

// Elsewhere it would be the priority of the whole process.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_LOW)

const at =
  (level: keyof Logger) =>
  (event: string, fields: Fields = {}) =>
    giveNotice<Notice>({ level, event, fields })
const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
const files = new Map<number, ReadableStreamDefaultReader<Uint8Array>>()
let opened = 0
/** How long a piece of a file waits for a locked database, because a file that broke off is worth nothing. */
const FILE_PATIENCE_MS = MINUTE_MS

/** Of lists, and of files. */
let dbs: { lists: Db; files: Db } | undefined
let deps: { lists: ReportDeps; files: ReportDeps } | undefined
/** Resolves when the pieces that were asked for before are made, and what came meanwhile had its turn. */
let before: Promise<unknown> = Promise.resolve()

answerQuestions(async (question: Question): Promise<Reply> => {
  if ('open' in question) {
    const connection = connect(question.open.path, question.open.pragmas)
    dbs = {
      lists: dbOf(patientSql(connection)),
      files: dbOf(patientSql(connection, undefined, FILE_PATIENCE_MS)),
    }
    return {}
  }
  if ('next' in question) return inTurn(() => pieceOf(question.next))
  if ('drop' in question) {
    await files.get(question.drop)?.cancel()
    files.delete(question.drop)
    return {}
  }
  const { path, call, config } = question.report
  try {
    const found = depsFor(config)
    return await replyOf(await runReport(path.endsWith('/export') ? found.files : found.lists, path, call))
  } catch (thrown) {
    return { refusal: refusedBy(thrown) }
  }
})

function depsFor(config: Config | undefined) {
  if (dbs && config) {
    const settings = settingsFrom(config)
    const periods = createPeriods(settings.limits.timeZone)
    const parts = { clock: systemClock, logger, settings, periods }
    deps = { lists: { ...parts, db: dbs.lists }, files: { ...parts, db: dbs.files } }
  }
  if (!deps) throw new Error('The first report has a configuration.')
  return deps
}

async function replyOf(response: Response): Promise<Reply> {
  const { status, body } = response
  const headers = [...response.headers]
  if (!body || !headers.some(([name]) => name === 'content-disposition')) {
    return { answer: { status, headers, body: new Uint8Array(await response.arrayBuffer()) } }
  }
  opened++
  files.set(opened, body.getReader())
  return { file: { status, headers, number: opened } }
}

async function pieceOf(file: number): Promise<Reply> {
  const read = await files.get(file)?.read()
  if (read?.value) return { piece: read.value }
  files.delete(file)
  return {}
}

function inTurn<T>(action: () => Promise<T>): Promise<T> {
  const mine = before.then(action)
  before = mine.catch(() => {}).then(() => turn())
  return mine
}

function refusedBy(thrown: unknown): Refused {
  const { code, message, cause, retryAfterMs, headers, fields } = asRefusal(thrown)
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  return { code, message, cause: text, retryAfterMs, headers, fields }
}
