/**
 * What Claude Code tells of itself (OTLP over HTTP). It is answered with 200 whatever becomes of it, because Claude Code logs an
 * error at each flush otherwise.
 */
import * as z from 'zod'
import { ClientGone } from '../core/calls/forward.ts'
import { Refusal } from '../core/errors.ts'
import { headerOf } from '../core/http/headers.ts'
import type { HeaderPairs } from '../core/ports.ts'
import type { Signal } from '../core/settings.ts'
import { route } from './route.ts'

const MOST_BYTES = 4 * 1024 * 1024
const JSON_TYPE = 'application/json'
const PROTOBUF_TYPE = 'application/x-protobuf'

export const telemetry = [
  taking(
    'metrics',
    '/v1/metrics',
    'Metrics of Claude Code, for the collectors and the report of Claude Code.',
  ),
  taking('logs', '/v1/logs', 'Events of Claude Code, for the collectors that want them.'),
  taking('traces', '/v1/traces', 'Traces of Claude Code, for the collectors that want them.'),
]

function taking(signal: Signal, path: string, summary: string) {
  return route({
    method: 'POST',
    path,
    tier: 'key',
    dialect: 'anthropic',
    summary: `${summary} OTLP over HTTP, in JSON or protobuf.`,
    accepts: z.looseObject({}),
    reply: z.strictObject({}),
    produces: [JSON_TYPE, PROTOBUF_TYPE],
    async handle({ deps, caller, headers, read, id }) {
      const isProtobuf = isProtobufIn(headers)
      const { userId, keyId } = caller
      const answer = (more: HeaderPairs = []) => answerOf(isProtobuf, [['request-id', id], ...more])
      if (!deps.telemetry.begin(signal, userId)) return answer()
      try {
        const body = await read(MOST_BYTES, false)
        deps.telemetry.take({ signal, userId, keyId, isProtobuf, body })
        return answer()
      } catch (thrown) {
        if (thrown instanceof ClientGone) throw thrown
        deps.metrics?.telemetryDropped(signal, 'unreadable')
        const told = thrown instanceof Refusal ? thrown.headers : []
        return answer(told.filter(([name]) => name === 'connection'))
      }
    },
  })
}

/** Without parameters; JSON where none is named. */
function isProtobufIn(headers: HeaderPairs): boolean {
  const named = headerOf(headers, 'content-type')?.split(';', 1)[0]
  return named?.trim().toLowerCase() === PROTOBUF_TYPE
}

/** An empty message of the type that was sent: https://opentelemetry.io/docs/specs/otlp/#full-success */
function answerOf(isProtobuf: boolean, more: HeaderPairs): Response {
  const body = isProtobuf ? null : '{}'
  const contentType = isProtobuf ? PROTOBUF_TYPE : JSON_TYPE
  const headers = new Headers({ 'content-type': contentType, 'cache-control': 'no-store' })
  for (const [name, value] of more) headers.set(name, value)
  return new Response(body, { headers })
}
