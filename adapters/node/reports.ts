/** Reports in threads of their own, each of which is started for its first one. */
import { extname, join } from 'node:path'
import type { Config } from '../../config/schema.ts'
import { DatabaseUnavailable, Refusal } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import type { ReportInput, Reports } from '../../core/reports/reports.ts'
import { createTurns } from '../../core/reports/turns.ts'
import type { ServedFile } from '../drivers/storage/libsql.ts'
import { startThread, type Thread, ThreadEnded } from '../shared/thread.ts'
import type { Notice, Question, Refused, Reply } from './report-questions.ts'

const SCRIPT = join(import.meta.dirname, `report-thread${extname(import.meta.filename)}`)

type ReportThread = Thread<Question, Reply, Notice>

export interface ReportThreads {
  /** Reports under this configuration. */
  under(config: Config): Reports
  close(): Promise<void>
}

/** Reports on a database file, in two threads, because what everybody used may take many seconds of a large log to tell. */
export function reportsOn(file: ServedFile, logger: Logger): ReportThreads {
  const ofEverybody = threadOn(file, logger)
  const others = threadOn(file, logger)
  const turns = createTurns()
  return {
    under: (config) => ({
      async run(path, call, over) {
        const { ask } = path.startsWith(EVERYBODYS) ? ofEverybody : others
        const { thread, reply } = await turns
          .take(askerOf(call), () => ask(path, call, config))
          .catch(rethrow)
        if (reply.refusal) throw refusalOf(reply.refusal)
        if (reply.answer) return new Response(reply.answer.body, reply.answer)
        if (!reply.file) throw new Error('The thread answered no report.')
        return new Response(piecesOf({ thread, file, over }, reply.file.number), reply.file)
      },
    }),
    async close() {
      await Promise.all([ofEverybody.close(), others.close()])
    },
  }
}

/** Where reports of everybody's calls are; lists of the log, of people and keys are not among them. */
const EVERYBODYS = '/admin/api/reports'

/** A thread that dies breaks off what it was doing, and the next report starts another. */
function threadOn(file: ServedFile, logger: Logger) {
  let running: Promise<ReportThread> | undefined
  const known = new WeakMap<ReportThread, Config>()

  async function start() {
    const thread: ReportThread = startThread(SCRIPT)
    thread.hear({
      notice: ({ level, event, fields }) => logger[level](event, fields),
      ended(cause) {
        running = undefined
        logger.error('reports.thread_ended', { cause: String(cause) })
      },
    })
    await thread.ask({ open: { path: file.path, pragmas: file.pragmas } })
    return thread
  }
  return {
    async ask(path: string, call: ReportInput, config: Config) {
      file.check()
      running ??= start().catch((cause: unknown) => {
        running = undefined
        throw cause
      })
      const thread = await running
      const isNew = known.get(thread) !== config
      known.set(thread, config)
      return {
        thread,
        reply: await thread.ask({ report: { path, call, config: isNew ? config : undefined } }),
      }
    },
    async close() {
      const thread = await running
      await thread?.end()
    },
  }
}

function askerOf({ actor }: ReportInput): string {
  return actor.adminKeyId === undefined ? `person ${actor.id}` : `program ${actor.adminKeyId}`
}

/** A file from the thread. Its next piece is asked for when the one before was taken. */
function piecesOf(
  { thread, file, over }: { thread: ReportThread; file: ServedFile; over(): void },
  number: number,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        file.check()
        const { piece } = await thread.ask({ next: number })
        if (piece) return controller.enqueue(piece)
        controller.close()
        over()
      } catch (cause) {
        over()
        throw cause
      }
    },
    async cancel() {
      over()
      await thread.ask({ drop: number })
    },
  })
}

function refusalOf({ code, message, cause, retryAfterMs, headers, fields }: Refused): Refusal {
  return new Refusal(code, message, {
    cause,
    headers,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(fields === undefined ? {} : { fields }),
  })
}

function rethrow(cause: unknown): never {
  if (cause instanceof ThreadEnded) {
    throw new DatabaseUnavailable('The thread of the reports ended.', { cause })
  }
  throw cause
}
