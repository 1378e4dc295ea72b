/** What the simulated clouds share: a real port in front of a scriptable Claude, whose answers they give in their own way. */
import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FakeUpstream } from './upstream.ts'

const OF_THE_CONNECTION = new Set(['connection', 'content-length', 'host', 'transfer-encoding'])

export interface CloudRequest {
  method: string
  url: string
  headers: (readonly [string, string])[]
  body: Buffer
}

/** Answers instead of the usual. */
type RawAnswer = (response: ServerResponse) => void | Promise<void>

export interface CloudServer {
  url: string
  /** As they came, before anything was checked. */
  requests: CloudRequest[]
  /** What the next requests get, one each, before all is as usual again. */
  answerNext(...answers: RawAnswer[]): void
  stop(): Promise<void>
}

export async function startCloudServer(
  serve: (asked: CloudRequest, response: ServerResponse) => Promise<void>,
): Promise<CloudServer> {
  const requests: CloudRequest[] = []
  const next: RawAnswer[] = []
  const server = createServer(async (request, response) => {
    const { rawHeaders } = request
    const asked = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: rawHeaders.flatMap((name, i) =>
        i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1] ?? ''] as const] : [],
      ),
      body: await wholeOf(request),
    }
    requests.push(asked)
    const raw = next.shift()
    if (raw) return void (await raw(response))
    await serve(asked, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    // Listening on a port, so the address is no pipe's name.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answerNext: (...answers) => void next.push(...answers),
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Asks the Claude behind a cloud; undefined when it broke the connection, and then so does the cloud. */
export async function askClaude(
  claude: FakeUpstream,
  { path, headers, body }: { path: string; headers: CloudRequest['headers']; body: object },
  response: ServerResponse,
): Promise<IncomingMessage | undefined> {
  const kept = headers.filter(([name]) => !OF_THE_CONNECTION.has(name))
  const sent = httpRequest(claude.url + path, {
    method: 'POST',
    headers: { ...Object.fromEntries(kept), 'content-type': 'application/json' },
  })
  response.on('close', () => sent.destroy())
  sent.end(JSON.stringify(body))
  try {
    const [answer]: IncomingMessage[] = await once(sent, 'response')
    return answer
  } catch {
    response.socket?.resetAndDestroy()
    return undefined
  }
}

/** Hands a body on piece by piece, and breaks the connection off where it broke off. */
export async function handOn(
  answer: IncomingMessage,
  response: ServerResponse,
  change: (piece: Buffer) => Buffer = (piece) => piece,
): Promise<void> {
  try {
    for await (const piece of answer) {
      const changed = change(piece)
      if (changed.length > 0) await new Promise<unknown>((resolve) => response.write(changed, resolve))
    }
    response.end()
  } catch {
    response.socket?.resetAndDestroy()
  }
}

export async function wholeOf(message: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  try {
    for await (const piece of message) pieces.push(piece)
  } catch {
    // Whoever sent it left: what came is what there is.
  }
  return Buffer.concat(pieces)
}

export function headerIn(headers: CloudRequest['headers'], name: string): string | undefined {
  return headers.find(([other]) => other === name)?.[1]
}
