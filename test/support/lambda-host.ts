/**
 * AWS Lambda as far as it can be had here: a runtime client runs the real bundle, one call at a time, in as many
 * processes as there are calls at once; this plays the Runtime API (2018-06-01) that they ask, and the Function URL.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { eventOf, passOn } from './lambda-events.ts'

interface Invocation {
  id: string
  event: object
  /** Takes what the function answers; undefined when it failed. */
  answered(answer: IncomingMessage | undefined): Promise<void>
}

export interface LambdaHost {
  url: string
  /** Invokes it as a schedule does. */
  invoke(): Promise<void>
  /** All that the function printed. */
  output(): string
  /** Ends every process; the next call starts one. */
  recycle(): Promise<void>
  stop(): Promise<void>
}

export async function startLambda(options: {
  /** The runtime client's entry point. */
  runtime: string
  /** Folder of the bundle. */
  folder: string
  handler: string
  env: Record<string, string>
  /** The most processes. */
  atOnce: number
}): Promise<LambdaHost> {
  const waiting: Invocation[] = []
  const idle = new Set<(invocation: Invocation) => void>()
  const working = new Map<string, Invocation>()
  const processes = new Set<ChildProcess>()
  const output: Buffer[] = []

  const give = (invocation: Invocation) => {
    // The one that ended its call last: those before it stay frozen.
    const next = [...idle].at(-1)
    if (next) {
      idle.delete(next)
      return next(invocation)
    }
    waiting.push(invocation)
    const free = processes.size - working.size
    if (waiting.length > free && processes.size < options.atOnce) launch()
  }
  const runtimeApi = createServer(async (request, response) => {
    const [, id = '', what] =
      /\/invocation\/(?:([^/]+)\/)?(next|response|error)$/.exec(request.url ?? '') ?? []
    if (what === 'next') {
      const take = (invocation: Invocation) => {
        working.set(invocation.id, invocation)
        response.writeHead(200, invocationHeaders(invocation.id)).end(JSON.stringify(invocation.event))
      }
      const first = waiting.shift()
      if (first) return take(first)
      idle.add(take)
      response.once('close', () => idle.delete(take))
      return
    }
    const invocation = working.get(id)
    if (what === 'response') await invocation?.answered(request)
    else {
      for await (const chunk of request) output.push(chunk)
      await invocation?.answered(undefined)
    }
    working.delete(id)
    response.writeHead(202).end()
  })
  // A function's process keeps its connection for as long as it lives, and does not survive its closing.
  runtimeApi.keepAliveTimeout = 0
  const functionUrl = createServer(async (request, response: ServerResponse) => {
    const body: Buffer[] = []
    for await (const chunk of request) body.push(chunk)
    give({
      id: crypto.randomUUID(),
      event: eventOf(request, Buffer.concat(body)),
      answered: (answer) => passOn(answer, response),
    })
  })
  const apiPort = await listening(runtimeApi)
  const urlPort = await listening(functionUrl)

  function launch() {
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
    child.once('exit', () => {
      // One that ends by itself takes the call that it was started for with it.
      if (processes.delete(child)) void waiting.shift()?.answered(undefined)
    })
    processes.add(child)
  }
  const recycle = async () => {
    const ended = [...processes].map((child) => once(child, 'exit'))
    for (const child of processes) child.kill('SIGKILL')
    processes.clear()
    await Promise.all(ended)
    // Nor is anything left of what they had asked.
    runtimeApi.closeAllConnections()
    working.clear()
    idle.clear()
  }
  return {
    url: `http://127.0.0.1:${urlPort}`,
    invoke: () =>
      new Promise((resolve, reject) => {
        give({
          id: crypto.randomUUID(),
          event: {},
          async answered(answer) {
            for await (const _ of answer ?? []);
            if (answer) resolve()
            else reject(new Error(`the function failed: ${Buffer.concat(output)}`))
          },
        })
      }),
    output: () => Buffer.concat(output).toString(),
    recycle,
    async stop() {
      await recycle()
      for (const server of [runtimeApi, functionUrl]) {
        server.closeAllConnections()
        server.close()
      }
    },
  }
}

const invocationHeaders = (id: string) => ({
  'content-type': 'application/json',
  'lambda-runtime-aws-request-id': id,
  'lambda-runtime-deadline-ms': String(Date.now() + 60_000),
  'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:local:0:function:gateway',
})

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port // it listens on a port
}
