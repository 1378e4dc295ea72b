/**
 * AWS Lambda as far as it can be had here: the real runtime client (aws-lambda-ric) runs the real bundle; this plays the
 * Runtime API (2018-06-01) that it polls, and the Function URL in front of it.
 */
import { spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Invocation {
  id: string
  event: object
}
/** Between the head of a streamed answer and its body. */
const DIVIDER = Buffer.alloc(8)

export interface LambdaHost {
  url: string
  /** All that the function printed. */
  output(): string
  stop(): Promise<void>
}

export async function startLambda(options: {
  /** aws-lambda-ric's entry point. */
  runtime: string
  /** Folder of the bundle. */
  folder: string
  handler: string
  env: Record<string, string>
}): Promise<LambdaHost> {
  const waiting: Invocation[] = []
  const idle: ((invocation: Invocation) => void)[] = []
  const open = new Map<string, ServerResponse>()
  const output: Buffer[] = []

  const runtimeApi = createServer(async (request, response) => {
    const [, what, id = ''] =
      /^\/2018-06-01\/runtime\/(?:invocation\/)?(next|init\/error|(?:([^/]+)\/(?:response|error)))$/.exec(
        request.url ?? '',
      ) ?? []
    if (what === 'next') {
      const give = (next: Invocation) => {
        const headers = {
          'content-type': 'application/json',
          'lambda-runtime-aws-request-id': next.id,
          'lambda-runtime-deadline-ms': String(Date.now() + 60_000),
          'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:local:0:function:gateway',
        }
        response.writeHead(200, headers).end(JSON.stringify(next.event))
      }
      const next = waiting.shift()
      if (next) give(next)
      else idle.push(give)
      return
    }
    const answer = open.get(id)
    open.delete(id)
    if (answer && what?.endsWith('response')) await passOn(request, answer)
    else {
      const body: Buffer[] = []
      for await (const chunk of request) body.push(chunk)
      output.push(...body)
      answer?.writeHead(502).end()
    }
    response.writeHead(202).end()
  })
  const functionUrl = createServer(async (request, response) => {
    const body: Buffer[] = []
    for await (const chunk of request) body.push(chunk)
    const invocation = { id: crypto.randomUUID(), event: eventOf(request, Buffer.concat(body)) }
    open.set(invocation.id, response)
    const give = idle.shift()
    if (give) give(invocation)
    else waiting.push(invocation)
  })
  const apiPort = await listening(runtimeApi)
  const urlPort = await listening(functionUrl)
  const child = spawn(process.execPath, [options.runtime], {
    cwd: options.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${apiPort}`,
      LAMBDA_TASK_ROOT: options.folder,
      _HANDLER: options.handler,
      AWS_LAMBDA_FUNCTION_NAME: 'gateway',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1024',
      AWS_REGION: 'local',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/gateway',
      AWS_LAMBDA_LOG_STREAM_NAME: 'local',
      ...options.env,
    },
  })
  child.stdout.on('data', (data: Buffer) => output.push(data))
  child.stderr.on('data', (data: Buffer) => output.push(data))
  return {
    url: `http://127.0.0.1:${urlPort}`,
    output: () => Buffer.concat(output).toString(),
    async stop() {
      child.kill('SIGKILL')
      for (const server of [runtimeApi, functionUrl]) {
        server.closeAllConnections()
        server.close()
      }
    },
  }
}

/** The answer as it comes: its head is JSON, ended by eight zero bytes. */
async function passOn(from: IncomingMessage, to: ServerResponse): Promise<void> {
  let head = Buffer.alloc(0)
  let begun = false
  for await (const chunk of from) {
    if (begun) {
      to.write(chunk)
      continue
    }
    head = Buffer.concat([head, chunk])
    const end = head.indexOf(DIVIDER)
    if (end < 0) continue
    begun = true
    const { statusCode, headers, cookies = [] } = JSON.parse(head.subarray(0, end).toString())
    for (const cookie of cookies) to.appendHeader('set-cookie', cookie)
    to.writeHead(statusCode, headers)
    to.flushHeaders()
    if (head.length > end + DIVIDER.length) to.write(head.subarray(end + DIVIDER.length))
  }
  // An invocation that broke off must not look like an answer that ended.
  if (from.complete) to.end()
  else to.destroy()
}

/** The event of a Function URL, payload version 2.0. */
function eventOf(request: IncomingMessage, body: Buffer): object {
  const { pathname, search } = new URL(request.url ?? '/', 'http://lambda')
  const { cookie, ...headers } = request.headers
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: pathname,
    rawQueryString: search.slice(1),
    ...(cookie ? { cookies: cookie.split('; ') } : {}),
    headers,
    requestContext: {
      domainName: 'gateway.lambda-url.local',
      http: {
        method: request.method,
        path: pathname,
        protocol: 'HTTP/1.1',
        sourceIp: '192.0.2.7',
        userAgent: headers['user-agent'],
      },
      requestId: 'local',
      stage: '$default',
      timeEpoch: Date.now(),
    },
    isBase64Encoded: body.length > 0,
    ...(body.length > 0 ? { body: body.toString('base64') } : {}),
  }
}

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port // it listens on a port
}
