/** Handles events of a streaming Function URL as Requests and writes the Responses to its stream. */
import type { Writable } from 'node:stream'
import * as z from 'zod'

/** The fields read of payload version 2.0: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html */
const Event = z.object({
  rawPath: z.string(),
  rawQueryString: z.string().default(''),
  cookies: z.array(z.string()).default([]),
  headers: z.record(z.string(), z.string()),
  requestContext: z.object({
    domainName: z.string(),
    http: z.object({ method: z.string(), sourceIp: z.string() }),
  }),
  body: z.string().optional(),
  isBase64Encoded: z.boolean().default(false),
})
type Event = z.output<typeof Event>

/** The global that AWS's runtime defines before it loads a function. */
declare const awslambda: {
  streamifyResponse(handler: (event: unknown, stream: Writable) => Promise<void>): unknown
  HttpResponseStream: {
    from(stream: Writable, head: { statusCode: number; headers: object; cookies: string[] }): Writable
  }
}

/** `peer`: the IP address of the caller, as AWS saw it. */
export interface Bindings {
  peer: string
}

/** A Lambda handler. It ends each answer only after `settled`, because AWS freezes the process then. */
export function functionUrl(
  answer: (request: Request, bindings: Bindings) => Promise<Response>,
  settled: () => Promise<void>,
): unknown {
  return awslambda.streamifyResponse(async (given, stream) => {
    const event = Event.parse(given)
    const response = await answer(requestOf(event), { peer: event.requestContext.http.sourceIp })
    const { 'set-cookie': _, ...headers } = Object.fromEntries(response.headers)
    const cookies = response.headers.getSetCookie()
    const body = awslambda.HttpResponseStream.from(stream, { statusCode: response.status, headers, cookies })
    try {
      // An empty write, because the head is sent with the first one.
      await written(body, '')
      // An error is not caught, because AWS's runtime then aborts the answer instead of ending it.
      for await (const chunk of response.body ?? []) await written(body, chunk)
    } finally {
      await settled()
    }
    body.end()
  })
}

function requestOf({ rawPath, rawQueryString, cookies, headers, requestContext, ...event }: Event): Request {
  const { domainName, http } = requestContext
  const query = rawQueryString && `?${rawQueryString}`
  // A Request of these methods may have none (https://fetch.spec.whatwg.org/#dom-request), and what came is ignored elsewhere, too.
  const body = http.method === 'GET' || http.method === 'HEAD' ? undefined : event.body
  const cookie: [string, string][] = cookies.length > 0 ? [['cookie', cookies.join('; ')]] : []
  return new Request(`https://${domainName}${rawPath}${query}`, {
    method: http.method,
    headers: [...Object.entries(headers), ...cookie],
    ...(body ? { body: Buffer.from(body, event.isBase64Encoded ? 'base64' : 'utf8') } : {}),
  })
}

function written(stream: Writable, chunk: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (cause) => (cause ? reject(cause) : resolve()))
  })
}
