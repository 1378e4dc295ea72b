/** The response to what a handler answered. */
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
