/** A simulated Claude on a local port, for the demo and tests: the protocol is real, the answers are made up. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type * as z from 'zod'
import { createSimulatedAccount, type SimulatedAccount } from './account.ts'
import { answerTo } from './answer.ts'
import { Asked, AskedMessage } from './asked.ts'
import { Fault } from './fault.ts'
import { idOf } from './ids.ts'
import { abilitiesOfModel, isCallable, modelById, modelPage } from './models.ts'
import { createBooks, isAdmin, type SimulatedBooks } from './reports.ts'
import { violation } from './rules/index.ts'
import { safeguardResults } from './safeguards.ts'
import { framesOf, messageOf, type Reply } from './stream.ts'
import type { Asking } from './uploads.ts'
import { createUsageMeter, tokensOf, type UsageMeter } from './usage.ts'

const PACE_MS = 12
/** The first piece takes as long as this many others, because Claude thinks first. */
const FIRST_PIECE = 10
const LARGEST_BODY = 32 * 1024 * 1024
const LARGEST_UPLOAD = 64 * 1024 * 1024

export interface SimulatedClaude {
  url: string
  account: SimulatedAccount
  stop(): Promise<void>
}

interface Call {
  request: IncomingMessage
  response: ServerResponse
  meter: UsageMeter
  account: SimulatedAccount
  books: SimulatedBooks
  /** ms between two pieces. */
  pace: number
}

/**
 * Accepts any credential that begins with `sim-`. `pace`: ms between two pieces of an answer. `account`, `books`: its
 * objects, and what it reports; pass those of an earlier instance to simulate a restart.
 */
export async function startSimulatedClaude(
  options: { port?: number; pace?: number; account?: SimulatedAccount; books?: SimulatedBooks } = {},
): Promise<SimulatedClaude> {
  const { port = 0, pace = PACE_MS, account = createSimulatedAccount(), books = createBooks() } = options
  const meter = createUsageMeter()
  const server = createServer(async (request, response) => {
    const requestId = idOf('req')
    response.setHeader('request-id', requestId)
    try {
      await route({ request, response, meter, account, books, pace })
    } catch (error) {
      if (response.headersSent || response.destroyed) return void response.destroy()
      const { status, type, message } =
        error instanceof Fault ? error : new Fault(500, 'api_error', 'Internal server error')
      sendJson(response, { type: 'error', error: { type, message }, request_id: requestId }, status)
    }
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    account,
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : port}`,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function route(call: Call): Promise<void> {
  const { request, response } = call
  const method = request.method ?? 'GET'
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://claude')
  const reads = method === 'GET' || method === 'HEAD'
  if (reads && (pathname === '/' || pathname === '/api/hello')) return sendJson(response, { ok: true })
  const credential = credentialOf(request)
  if (method === 'POST' && pathname === '/v1/messages') return sendMessage(call, credential)
  if (method === 'POST' && pathname === '/v1/messages/count_tokens') {
    const body = await bodyOf(request)
    const asked = parsed(Asked, body)
    knownModel(asked.model)
    keepsRules(body, asked.model)
    ownObjects(call.account, asked)
    return sendJson(response, { input_tokens: tokensOf(body.length) })
  }
  if (reads && pathname === '/v1/models') {
    const page = modelPage(searchParams)
    if (!page) throw new Fault(400, 'invalid_request_error', 'limit: a number from 1 to 1000 is expected')
    return sendJson(response, page)
  }
  const report = reads && isAdmin(credential) && call.books.report(pathname, searchParams)
  if (report) return sendJson(response, report)
  const stored = await ofAccount(call, credential, { method, pathname, query: searchParams })
  if (stored !== undefined) {
    send(response, stored)
    return
  }
  const id = /^\/v1\/models\/([^/]+)$/.exec(pathname)?.[1]
  if (!reads || id === undefined) throw new Fault(404, 'not_found_error', 'Not found')
  return sendJson(response, modelById(id) ?? knownModel(id))
}

/** Batches, files and skills; undefined for other addresses. */
async function ofAccount(
  call: Call,
  credential: string,
  asked: Pick<Asking, 'method' | 'pathname' | 'query'>,
): Promise<object | string | undefined> {
  const { request, account, books } = call
  const asking = {
    ...asked,
    type: request.headers['content-type'] ?? '',
    body: () => bodyOf(request, LARGEST_UPLOAD),
  }
  const messageFor = (params: object) => {
    const { asked: message, reply } = replyTo(call, Buffer.from(JSON.stringify(params)), credential)
    const { usage, ...rest } = messageOf(reply, reply.answer)
    account.keepThread(message, reply)
    const { model } = message
    const { outputTokens } = reply.answer
    books.enter({ credential, model, usage: reply.usage, outputTokens, batch: true })
    return { ...rest, usage: { ...usage, service_tier: 'batch' } }
  }
  return (await account.batches.answer(asking, messageFor)) ?? account.uploads.answer(asking)
}

function send(response: ServerResponse, stored: object | string): void {
  if (typeof stored !== 'string' && !Buffer.isBuffer(stored)) {
    sendJson(response, stored)
    return
  }
  const type = typeof stored === 'string' ? 'application/x-jsonl' : 'application/octet-stream'
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(stored) })
  response.end(stored)
}

function replyTo({ meter, account }: Call, sent: Buffer, credential: string) {
  const body = account.threads.whole(sent)
  const asked = parsed(AskedMessage, body)
  knownModel(asked.model)
  keepsRules(body, asked.model)
  ownObjects(account, asked)
  const container = account.containerFor(asked)
  const answer = answerTo(asked, container && (() => account.make('file')))
  const reply: Reply = {
    id: idOf('msg'),
    model: asked.model,
    answer,
    safeguards: safeguardResults(asked.safeguards, answer.blocks),
    usage: meter.count({ asked, body, credential }),
    container,
  }
  return { asked, reply }
}

async function sendMessage(call: Call, credential: string): Promise<void> {
  const { request, response, account, books, pace } = call
  const { asked, reply } = replyTo(call, await bodyOf(request), credential)
  const { outputTokens } = reply.answer
  books.enter({ credential, model: asked.model, usage: reply.usage, outputTokens, batch: false })
  account.keepThread(asked, reply)
  const left = new AbortController()
  response.on('close', () => left.abort())
  const pause = async (pieces: number) => {
    if (pace > 0) await sleep(pace * pieces, undefined, { signal: left.signal })
  }
  const frames = [...framesOf(reply)]
  await pause(FIRST_PIECE)
  if (!asked.stream) {
    await pause(frames.length)
    return sendJson(response, messageOf(reply, reply.answer))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  for (const frame of frames) {
    if (!response.write(frame)) await once(response, 'drain', { signal: left.signal })
    await pause(1)
  }
  response.end()
}

function credentialOf({ headers }: IncomingMessage): string {
  const bearer = /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  const credential = headers['x-api-key'] ?? bearer
  if (typeof credential === 'string' && credential.startsWith('sim-')) return credential
  throw new Fault(
    401,
    'authentication_error',
    'invalid x-api-key (a simulated Claude takes any that begins with sim-)',
  )
}

async function bodyOf(request: IncomingMessage, most = LARGEST_BODY): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > most) throw new Fault(413, 'request_too_large', 'Request exceeds the maximum size')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parsed<T>(schema: z.ZodType<T>, body: Buffer): T {
  const refuse = (message: string) => new Fault(400, 'invalid_request_error', message)
  let json: unknown
  try {
    json = JSON.parse(body.toString())
  } catch {
    throw refuse('The request body is not valid JSON')
  }
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const { path = [], message = '' } = result.error.issues[0] ?? {}
  throw refuse(`${path.join('.')}: ${message.endsWith('received undefined') ? 'Field required' : message}`)
}

function ownObjects(account: SimulatedAccount, asked: unknown): void {
  const foreign = account.foreign(asked)
  if (foreign) throw new Fault(404, 'not_found_error', `${foreign.kind} not found: ${foreign.id}`)
}

function knownModel(model: string): void {
  if (!isCallable(model)) throw new Fault(404, 'not_found_error', `model: ${model}`)
}

/** Refuses what Claude would refuse, in its words. */
function keepsRules(body: Buffer, model: string): void {
  const problem = violation(JSON.parse(body.toString()), abilitiesOfModel(model))
  if (problem) throw new Fault(400, 'invalid_request_error', problem)
}

function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  const text = JSON.stringify(value)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}
