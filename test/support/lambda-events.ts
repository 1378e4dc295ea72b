/** What stands between HTTP and a Lambda: a Function URL's events, and the form of an answer that is streamed. */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Between the head of a streamed answer and its body. */
const DIVIDER = Buffer.alloc(8)

/** The answer as it comes: its head is JSON, ended by eight zero bytes. */
export async function passOn(from: IncomingMessage | undefined, to: ServerResponse): Promise<void> {
  let head = Buffer.alloc(0)
  try {
    for await (const chunk of from ?? []) {
      if (to.headersSent) {
        to.write(chunk)
        continue
      }
      head = Buffer.concat([head, chunk])
      const end = head.indexOf(DIVIDER)
      if (end < 0) continue
      const { statusCode, headers, cookies = [] } = JSON.parse(head.subarray(0, end).toString())
      for (const cookie of cookies) to.appendHeader('set-cookie', cookie)
      to.writeHead(statusCode, headers)
      to.flushHeaders()
      if (head.length > end + DIVIDER.length) to.write(head.subarray(end + DIVIDER.length))
    }
  } catch {
    // Broken off: seen below.
  }
  // An invocation that broke off, or says that it failed, must not look like an answer that ended.
  if (!to.headersSent) to.writeHead(502).end()
  else if (from?.complete && !from.trailers['lambda-runtime-function-error-type']) to.end()
  else to.destroy()
}

/** The event of a Function URL, payload version 2.0. */
export function eventOf(request: IncomingMessage, body: Buffer): object {
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
