/**
 * A script that answers questions in a thread of this process, so that long work keeps no call waiting.
 *
 * Decision: a thread is never terminated from outside, because the native database driver aborts the whole process if that
 * happens within one of its calls. A thread ends by itself, and when the process exits it is stopped between two calls first.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads'

/** What a thread's script threw. `code` is that of the error, or ''. */
export class ThreadFault extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** The thread ended before it answered. */
export class ThreadEnded extends Error {}

interface Hearer<Notice> {
  /** Something that the script said unasked. */
  notice(notice: Notice): void
  /** It ended without being told to. */
  ended(cause: unknown): void
}

export interface Thread<Question, Reply, Notice> {
  hear(hearer: Hearer<Notice>): void
  /** Rejects with ThreadFault or ThreadEnded. */
  ask(question: Question): Promise<Reply>
  /** Ends it when it has nothing to do at the moment; resolves when it has ended. */
  end(): Promise<void>
  /** From now on the process may exit while the thread lives. */
  unref(): void
}

type Order<Question> = { id: number; question: Question } | 'end' | 'rest'
type Answered<Reply> = { id: number; reply: Reply } | { id: number; code: string; message: string }
type Said<Reply, Notice> = Answered<Reply> | { notice: Notice }

/** How long the exit of the process waits for what a thread is doing. */
const REST_WAIT_MS = 5_000
const RESTING = 1

/** Starts a thread with the script in this file. */
export function startThread<Question, Reply, Notice>(script: string): Thread<Question, Reply, Notice> {
  const state = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const worker = new Worker(script, { workerData: state })
  const post = (order: Order<Question>) => worker.postMessage(order)
  const gone = Promise.withResolvers<void>()
  const askers = createAskers<Reply>()
  let hearer: Hearer<Notice> | undefined
  let ending = false
  let cause: unknown
  const rest = () => {
    post('rest')
    Atomics.wait(state, 0, 0, REST_WAIT_MS)
  }
  process.once('exit', rest)
  worker.on('message', (said: Said<Reply, Notice>) => {
    if ('notice' in said) hearer?.notice(said.notice)
    else askers.answer(said)
  })
  worker.on('error', (thrown) => {
    cause = thrown
  })
  worker.on('exit', () => {
    process.off('exit', rest)
    askers.end(new ThreadEnded('The thread ended.', { cause }))
    gone.resolve()
    if (!ending) hearer?.ended(cause)
  })
  return {
    hear(next) {
      hearer = next
    },
    ask(question) {
      const { id, answer } = askers.add()
      post({ id, question })
      return answer
    },
    end() {
      ending = true
      post('end')
      return gone.promise
    },
    unref: () => worker.unref(),
  }
}

/** Who waits for an answer, by the number of their question. */
function createAskers<Reply>() {
  const waiting = new Map<number, PromiseWithResolvers<Reply>>()
  let asked = 0
  let ended: ThreadEnded | undefined
  return {
    add() {
      asked++
      const asker = Promise.withResolvers<Reply>()
      if (ended) asker.reject(ended)
      else waiting.set(asked, asker)
      return { id: asked, answer: asker.promise }
    },
    answer(said: Answered<Reply>) {
      const asker = waiting.get(said.id)
      waiting.delete(said.id)
      if ('reply' in said) asker?.resolve(said.reply)
      else asker?.reject(new ThreadFault(said.code, said.message))
    },
    end(why: ThreadEnded) {
      ended = why
      for (const { reject } of waiting.values()) reject(why)
      waiting.clear()
    },
  }
}

/** For the script of a thread: answers what is asked, all at once if the answers take several turns. */
export function answerQuestions<Question, Reply>(answer: (question: Question) => Promise<Reply>): void {
  const say = (said: Said<Reply, never>) => parentPort?.postMessage(said)
  parentPort?.on('message', (order: Order<Question>) => {
    if (order === 'rest') return rest()
    // In a thread it ends this thread.
    if (order === 'end') return process.exit()
    const { id, question } = order
    answer(question).then(
      (reply) => say({ id, reply }),
      (thrown: unknown) => say({ id, ...faultOf(thrown) }),
    )
  })
}

/** For the script of a thread: says something that nobody asked. */
export function giveNotice<Notice>(notice: Notice): void {
  parentPort?.postMessage({ notice })
}

/** Does nothing until the process has exited. */
function rest() {
  const state: Int32Array = workerData
  Atomics.store(state, 0, RESTING)
  Atomics.notify(state, 0)
  Atomics.wait(state, 0, RESTING)
}

function faultOf(thrown: unknown): { code: string; message: string } {
  if (!(thrown instanceof Error)) return { code: '', message: String(thrown) }
  return { code: 'code' in thrown ? String(thrown.code) : '', message: thrown.message }
}
