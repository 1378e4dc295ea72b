/** The response to what a handler answered, and what belongs to its end. */
import { streamOf } from '../core/pieces.ts'
import type { Reply } from '../core/ports.ts'
import { createStop } from '../core/stop.ts'
import type { Answer, Route } from './route.ts'

/** Plain objects are parsed with the route's `reply`, so that an undeclared field fails instead of being sent. */
export function toResponse(route: Route, answer: Answer, id: string): Response {
  if (answer instanceof Response) return answer
  const headers = {
    'request-id': id,
    'cache-control': 'no-store',
    ...(route.dialect === 'scim' ? { 'content-type': 'application/scim+json' } : {}),
  }
  if (route.status === 204) return new Response(null, { status: 204, headers })
  const body = route.reply ? route.reply.parse(answer) : answer
  return Response.json(body, { status: route.status ?? 200, headers })
}

/** JSON that is too long to be made at once. By its disposition it is sent on as it is made, and cut off where it fails. */
export function inPieces(pieces: AsyncGenerator<string>, id: string): Response {
  return new Response(streamOf(pieces), {
    headers: {
      'content-type': 'application/json',
      'content-disposition': 'inline',
      'cache-control': 'no-store',
      'request-id': id,
    },
  })
}

/** The same reply; `end` is called when it is finished or fails, be it at once. */
export function endingReply(reply: Reply, end: () => void): Reply {
  return {
    ...reply,
    pipe(sink) {
      let flowing: ReturnType<Reply['pipe']>
      try {
        flowing = reply.pipe(sink)
      } catch (cause) {
        end()
        throw cause
      }
      if (flowing) return flowing.finally(end)
      end()
    },
  }
}

/** The answer to HEAD: the same head. The body is left at once, because nobody reads it and an account would send all of it. */
export function withoutBody(reply: Reply): Reply {
  return {
    ...reply,
    async pipe() {
      const stop = createStop()
      stop.abort(new Error('HEAD has no body'))
      try {
        await reply.pipe({ write() {}, left: stop.signal })
      } catch {
        // How a body ends that nobody wants is no failure.
      }
    },
  }
}
