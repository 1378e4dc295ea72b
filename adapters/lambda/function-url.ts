/** A Function URL that streams: its events as requests, responses as what is written to it. */
import type { Writable } from 'node:stream'
import * as z from 'zod'

/** Payload version 2.0, as far as it is read here. */
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

/** What AWS's runtime puts there before it loads a function. */
declare const awslambda: {
  streamifyResponse(handler: (event: unknown, stream: Writable) => Promise<void>): unknown
  HttpResponseStream: {
    from(stream: Writable, head: { statusCode: number; headers: object; cookies: string[] }): Writable
  }
}

/** The address that the Function URL was called from, as AWS saw it. */
export interface Bindings {
  peer: string
}

/** A Lambda handler that answers by `answer`, and ends no answer before `settled`: then the process is frozen. */
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
      // The head goes out with the first write.
      await written(body, '')
      // What breaks off is thrown on: AWS's runtime then does not let it look like an answer that ended.
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
  const cookie: [string, string][] = cookies.length > 0 ? [['cookie', cookies.join('; ')]] : []
  return new Request(`https://${domainName}${rawPath}${query}`, {
    method: http.method,
    headers: [...Object.entries(headers), ...cookie],
    ...(event.body ? { body: Buffer.from(event.body, event.isBase64Encoded ? 'base64' : 'utf8') } : {}),
  })
}

function written(stream: Writable, chunk: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (cause) => (cause ? reject(cause) : resolve()))
  })
}
