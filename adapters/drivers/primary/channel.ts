/**
 * Messages between a worker and its primary process, over one socket for each worker. What is told, asked and answered in one
 * turn of the event loop leaves as one line of JSON, in one write.
 *
 * What a worker tells counts before whatever is asked later by anybody: it leaves before the answers of its turn, and the primary
 * hears all of its sockets before it answers the first question of a turn. So the end of a call counts before its client can make
 * the next one.
 *
 * Decision: a socket of its own instead of process.send, which can neither wait for a slow reader nor make a fast writer wait.
 */
import type { Duplex } from 'node:stream'
import * as z from 'zod'
import type { Turn } from '../turn.ts'

/** Raised whenever messages change: new code may be started by a primary process of an older release. */
const VERSION = 3
const HELLO = 'hello'
/** The most messages of one worker that the primary hears in one turn, so that nobody waits for a worker that floods it. */
const MOST_A_TURN = 1_000

/** `id` 0: no answer is expected. */
const Questions = z.array(z.tuple([z.string(), z.int(), z.unknown()]))
const Answers = z.array(z.tuple([z.int(), z.boolean(), z.unknown()]))

/** A worker's end. */
export interface PrimaryChannel {
  /** Resolves with the answer. Rejects if the primary refuses or is gone. */
  ask(name: string, body: unknown): Promise<unknown>
  /** Resolves when the message has left, which it does before any answer of this turn. Rejects if the primary is gone. */
  tell(name: string, body: unknown): Promise<void>
  close(): void
}

/** What the primary answers, by the name of the message. */
export type Handlers = Readonly<Record<string, (body: unknown) => unknown>>

/** Rejects if the process at the other end is of another version. */
export async function openChannel(socket: Duplex, turn: Turn): Promise<PrimaryChannel> {
  const { send } = createSender(socket, turn.writer)
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let last = 0
  readLines(socket, (line) => {
    for (const [id, isRefusal, body] of Answers.parse(line)) {
      const asked = waiting.get(id)
      waiting.delete(id)
      if (isRefusal) asked?.reject(new Error(String(body)))
      else asked?.resolve(body)
    }
  })
  socket.on('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('the primary process is gone'))
    waiting.clear()
  })
  const channel: PrimaryChannel = {
    ask(name, body) {
      last += 1
      const asked = Promise.withResolvers<unknown>()
      waiting.set(last, asked)
      send([name, last, body]).catch(asked.reject)
      return asked.promise
    },
    tell: (name, body) => send([name, 0, body]),
    close: () => socket.destroy(),
  }
  await channel.ask(HELLO, VERSION)
  return channel
}

/** The primary's end: answers a worker until its socket closes. A handler that throws refuses. */
export function answerWorker(socket: Duplex, handlers: Handlers): void {
  const { send, flush } = createSender(socket, (write) => () => void setImmediate(write))
  const asked: [id: number, handler: string, body: unknown][] = []
  let heard = 0
  let turn: NodeJS.Immediate | undefined

  const hello = (version: unknown) => {
    if (version !== VERSION) throw new Error('the primary process is of another version: restart all of it')
  }
  const all: Handlers = { ...handlers, [HELLO]: hello }
  function handle(name: string, body: unknown): unknown {
    const handler = all[name]
    if (!handler) throw new Error(`the primary process knows no ${name}`)
    return handler(body)
  }
  async function answer(id: number, name: string, body: unknown) {
    // Waits only for a promise, so that answers of one turn leave together.
    try {
      const result = handle(name, body)
      void send([id, false, result instanceof Promise ? await result : result])
    } catch (cause) {
      void send([id, true, String(cause)])
    }
  }
  function endTurn() {
    turn = undefined
    heard = 0
    for (const question of asked.splice(0)) void answer(...question)
    flush()
    if (!socket.isPaused()) return
    if (socket.writableNeedDrain) socket.once('drain', () => socket.resume())
    else socket.resume()
  }
  readLines(socket, (line) => {
    for (const [name, id, body] of Questions.parse(line)) {
      heard += 1
      if (id === 0) handle(name, body)
      else asked.push([id, name, body])
    }
    if (heard > MOST_A_TURN || socket.writableNeedDrain) socket.pause()
    if (!turn) turn = setImmediate(endTurn)
  })
}

interface Sender {
  /** Sends a message with all others of this turn of the event loop. Resolves when it has left the process. */
  send(message: unknown): Promise<void>
  /** Sends what waits now. */
  flush(): void
}

/** `writer` makes of a function one that is called when there is something to write. */
function createSender(socket: Duplex, writer: Turn['writer']): Sender {
  const due = writer(flush)
  let messages: unknown[] = []
  let sent: PromiseWithResolvers<void> | undefined
  function flush() {
    if (!sent) return
    const { resolve, reject } = sent
    const line = `${JSON.stringify(messages)}\n`
    messages = []
    sent = undefined
    socket.write(line, (cause) => (cause ? reject(cause) : resolve()))
  }
  return {
    send(message) {
      messages.push(message)
      if (sent) return sent.promise
      sent = Promise.withResolvers<void>()
      const { promise } = sent
      // Who waits hears of it; a socket that closed tells everybody else.
      promise.catch(() => {})
      due()
      return promise
    },
    flush,
  }
}

function readLines(socket: Duplex, hear: (line: unknown) => void): void {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('error', () => socket.destroy())
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    try {
      for (const line of lines) hear(JSON.parse(line))
    } catch {
      // Nothing that comes after it can be trusted.
      socket.destroy()
    }
  })
}
