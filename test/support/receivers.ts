/** Places that take messages, which answer as Slack, Feishu and a company's own webhook do. */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Received {
  headers: IncomingHttpHeaders
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any form
  body: any
}
export interface Receiver {
  url: string
  received: Received[]
  /** What it answers from now on: as usual, with an error, or never. */
  will(behave: 'take' | 'refuse' | 'hang'): void
  /** It takes no message that has this text in it. */
  refuses(text: string): void
  stop(): Promise<void>
}

type Answer = (received: Received) => { status: number; text: string }

export const SECRET = 'a secret of a channel'

const ANSWERS = {
  slack: ({ body }) =>
    typeof body.text === 'string' && Array.isArray(body.blocks)
      ? { status: 200, text: 'ok' }
      : { status: 400, text: 'invalid_payload' },
  feishu: ({ body }) => {
    const sign = createHmac('sha256', `${body.timestamp}\n${SECRET}`).update('').digest('base64')
    if (body.sign !== sign)
      return { status: 200, text: '{"code":19021,"msg":"sign match fail or timestamp"}' }
    return body.msg_type === 'interactive' && body.card.header
      ? { status: 200, text: '{"code":0,"msg":"success","data":{}}' }
      : { status: 400, text: '{"code":9499,"msg":"Bad Request"}' }
  },
  webhook: ({ headers, text }) => {
    const signed = `${headers['x-claude-gateway-timestamp']}.${text}`
    const signature = createHmac('sha256', SECRET).update(signed).digest('hex')
    return { status: headers['x-claude-gateway-signature'] === signature ? 204 : 401, text: '' }
  },
} satisfies Record<string, Answer>

export async function startReceiver(kind: keyof typeof ANSWERS): Promise<Receiver> {
  const received: Received[] = []
  let behaviour: 'take' | 'refuse' | 'hang' = 'take'
  let refused: string | undefined
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    if (behaviour === 'hang') return
    if (behaviour === 'refuse') return void response.writeHead(503).end('busy')
    if (refused !== undefined && text.includes(refused)) {
      return void response.writeHead(400).end('invalid_blocks')
    }
    const one = { headers: request.headers, text, body: JSON.parse(text) }
    const answer = ANSWERS[kind](one)
    if (answer.status < 300) received.push(one)
    response.writeHead(answer.status).end(answer.text)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on a port
  return {
    url: `http://127.0.0.1:${port}/hook/T0K3N`,
    received,
    will(behave) {
      behaviour = behave
    },
    refuses(text) {
      refused = text
    },
    async stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}
