/**
 * A runtime client like AWS's (test/lambda runs that one), for every day: nothing is compiled. It asks for invocations
 * and has lambda-local do them, which streams as AWS does.
 */
import { request } from 'node:http'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { execute } from 'lambda-local'

const { AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT = '', _HANDLER = '' } = process.env
const INVOCATIONS = `http://${AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`
const [file, lambdaHandler = ''] = _HANDLER.split('.')

// Where lambda-local looks for somebody's AWS settings there are none.
process.env.HOME = LAMBDA_TASK_ROOT

interface Streamed {
  statusCode: number
  headers: object
  cookies: string[]
  body: Readable
}

for (;;) {
  const next = await fetch(`${INVOCATIONS}/next`)
  const id = next.headers.get('lambda-runtime-aws-request-id')
  const ended = Promise.withResolvers<void>()
  let body: Readable | undefined
  const answered: unknown = await execute({
    event: Object(await next.json()),
    lambdaPath: join(LAMBDA_TASK_ROOT, `${file}.mjs`),
    lambdaHandler,
    esm: true,
    timeoutMs: 60_000,
    // Its own words are left out, the function's not.
    verboseLevel: -1,
    onInvocationEnd(cause: Error | undefined) {
      if (cause) body?.destroy(cause)
      ended.resolve()
    },
  })
  const report = request(`${INVOCATIONS}/${id}/response`, { method: 'POST' })
  const reported = new Promise((resolve) => report.on('close', resolve).on('error', () => {}))
  report.on('response', (response) => response.resume())
  if (isStreamed(answered)) {
    const { body: stream, ...head } = answered
    body = stream
    report.write(JSON.stringify(head))
    report.write(Buffer.alloc(8))
    stream.on('error', (cause) => report.destroy(cause))
    stream.pipe(report)
    await ended.promise
  } else report.end(JSON.stringify(answered ?? null))
  await reported
}

function isStreamed(answer: unknown): answer is Streamed {
  return typeof answer === 'object' && answer !== null && 'body' in answer
}
