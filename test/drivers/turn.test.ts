/** What is written at the end of a turn, and what leaves the process behind it. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import fs from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import type { AddressInfo } from 'node:net'
import type { HttpBindings } from '@hono/node-server'
import { expect, onTestFinished, test, vi } from 'vitest'
import { journalledRecords } from '../../adapters/drivers/ledger/journalled.ts'
import { createTurn, type Turn } from '../../adapters/drivers/turn.ts'
import { undiciUpstream } from '../../adapters/drivers/upstream/undici.ts'
import { createHttpServer } from '../../adapters/node/http-server.ts'
import { socketWire } from '../../adapters/node/wire.ts'
import { systemClock } from '../../core/clock.ts'
import type { Sink } from '../../core/ports.ts'
import { createStop } from '../../core/stop.ts'
import { fakeClock } from '../support/clock.ts'
import { keptLogs } from '../support/logs.ts'
import { callRecord } from '../support/records.ts'
import { fileStore, temporaryFolder } from '../support/stores.ts'
import { startUpstream } from '../support/upstream.ts'

test('writers run once a turn, whatever they have to write, and before what waits, which keeps its order', async () => {
  const turn = createTurn(fakeClock())
  const done: string[] = []
  const due = turn.writer(() => void done.push('written'))
  turn.after(() => void done.push('nothing waits'))
  for (const action of ['first', 'second']) {
    due()
    turn.after(() => void done.push(action))
  }
  expect(done).toEqual(['nothing waits'])
  await turn.written()
  expect(done).toEqual(['nothing waits', 'written', 'first', 'second'])
  expect(turn.isDue()).toBe(false)
})

test('a turn that takes long ends in its midst', async () => {
  const clock = fakeClock()
  const turn = createTurn(clock)
  const done: string[] = []
  const due = turn.writer(() => void done.push('written'))
  const busy = () => clock.advance(2)
  due()
  turn.after(() => void done.push('first'))
  busy()
  turn.after(() => void done.push('second'))
  expect(done).toEqual(['written', 'first', 'second'])
  due()
  turn.after(() => void done.push('third'))
  busy()
  due()
  expect(done).toEqual(['written', 'first', 'second', 'written', 'third'])
  await turn.written()
  expect(turn.isDue()).toBe(false)
})

test('the lines of all calls of a turn are one write', async () => {
  const store = await fileStore()
  const folder = temporaryFolder()
  const turn = createTurn(fakeClock())
  const parts = { folder: folder.path, turn, clock: systemClock, logger: keptLogs() }
  const records = await journalledRecords({ ...parts, db: store.db })
  const disk = vi.spyOn(fs, 'writeSync')
  syncBuiltinESMExports()
  const calls = Array.from({ length: 5 }, () => callRecord())
  for (const call of calls) records.reserve(call, false)
  for (const call of calls) records.settle(call)
  await turn.written()
  const written = disk.mock.calls.map(([, text]) => String(text))
  disk.mockRestore()
  syncBuiltinESMExports()
  expect(written).toHaveLength(1)
  expect(written[0]?.trimEnd().split('\n')).toHaveLength(10)
  await records.close()
  await store.close()
  folder.remove()
})

/** A server whose answers are made in a turn in which something is due. Answers whether any had begun when it was written. */
async function answered(respond: (turn: Turn, bindings: HttpBindings) => Response) {
  const turn = createTurn(fakeClock())
  let answer: HttpBindings['outgoing'] | undefined
  const begun: (boolean | undefined)[] = []
  const due = turn.writer(() => void begun.push(answer?.headersSent))
  const server = createHttpServer(
    (_request, bindings) => {
      // The server speaks HTTP/1.1 only.
      const http = bindings as HttpBindings
      answer = http.outgoing
      due()
      return respond(turn, http)
    },
    { turn, isLeaving: () => false },
  ).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on a port
  const [came]: IncomingMessage[] = await once(get({ port, agent: false }), 'response')
  let text = ''
  for await (const piece of came ?? []) text += piece
  return { text, begun }
}

test('answers leave behind what is written in their turn', async () => {
  const whole = await answered(() => new Response('refused'))
  expect(whole).toEqual({ text: 'refused', begun: [false] })
  const streamed = await answered((turn, bindings) => {
    const wire = socketWire({ waitUntil() {}, cuts: () => false, turn })
    const pipe = (sink: Sink) => {
      for (const piece of ['one, ', 'two']) void sink.write(Buffer.from(piece))
    }
    return wire.respond({ status: 200, headers: [['content-type', 'text/plain']], pipe }, bindings)
  })
  expect(streamed).toEqual({ text: 'one, two', begun: [false] })
})

test('requests to an upstream leave behind what is written in their turn', async () => {
  const upstream = await startUpstream()
  const turn = createTurn(fakeClock())
  const sender = undiciUpstream('', turn)
  const order: string[] = []
  const due = turn.writer(() => void order.push('written'))
  const onSent = () => void order.push('sent')
  subscribe('undici:client:sendHeaders', onSent)
  onTestFinished(() => void unsubscribe('undici:client:sendHeaders', onSent))
  const ask = async () => {
    const request = { origin: upstream.url, method: 'POST', path: '/v1/messages' } as const
    const body = Buffer.from('{}')
    const reply = await sender.send({ ...request, headers: [], body }, createStop().signal)
    await reply.pipe({ write() {} })
  }
  // On a connection that waits for the next request, that leaves as soon as it is asked for.
  await ask()
  for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate)
  due()
  await ask()
  expect(order).toEqual(['sent', 'written', 'sent'])
  const left = createStop()
  due()
  const leaving = sender.send(
    { origin: upstream.url, method: 'GET', path: '/', headers: [], body: undefined },
    left.signal,
  )
  left.abort(new Error('the client left'))
  await expect(leaving).rejects.toThrow('the client left')
  expect(upstream.requests).toHaveLength(2)
  await sender.close()
  await upstream.stop()
})
