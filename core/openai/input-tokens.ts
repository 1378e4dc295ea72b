/** POST /v1/responses/input_tokens: how many tokens a request would have, counted by Claude. */
import * as z from 'zod'
import type { FailoverParts } from '../calls/failover.ts'
import { ClientGone, forwardFree } from '../calls/forward.ts'
import type { Received } from '../calls/receive.ts'
import type { RelayParts } from '../calls/relay.ts'
import { Refusal } from '../errors.ts'
import type { Reply } from '../ports.ts'
import { inTurns } from '../steps.ts'
import { claudeErrorAsOpenAi } from './errors.ts'
import { type MessagesRequest, requestText } from './messages-api.ts'
import { nativeCall } from './native-call.ts'
import { jsonReply, parsedAnswer } from './reply/answer.ts'
import type { TranslationContext } from './request/assemble.ts'
import { bodyOf } from './request/read.ts'
import { parsedBody } from './request/refuse.ts'
import { responsesToMessages } from './request/responses-request.ts'
import { ResponsesRequest } from './request/responses-shape.ts'
import { type PrepareParts, prepared, wayOf } from './serve.ts'

const ENCODER = new TextEncoder()
const COUNT_PATH = '/v1/messages/count_tokens'
const Counted = z.looseObject({ input_tokens: z.int() })

/** Free: neither metered nor limited. Throws a Refusal, or ClientGone. */
export async function inputTokens(
  deps: PrepareParts & FailoverParts & RelayParts,
  received: Received,
): Promise<Reply> {
  const native = nativeCall(deps, received, false)
  function* prepare() {
    const asked = parsedBody(ResponsesRequest, bodyOf(received.body))
    const spoken = {
      streamed: false,
      model: asked.model,
      promptCacheKey: asked.prompt_cache_key,
      translate: (context: TranslationContext) => responsesToMessages(asked, context),
    }
    yield
    return yield* prepared(deps, received, spoken, native)
  }
  const way = await inTurns(wayOf(native, prepare), deps.clock)
  if ('native' in way) return forwardFree(deps, way.native.call)
  const { call, translation } = way
  const body = ENCODER.encode(countedText(translation.request))
  const reply = await forwardFree(deps, { ...call, path: COUNT_PATH, body })
  if (reply.native) return reply
  const answer = await parsedAnswer(reply, received.signal).catch((cause) => {
    if (received.signal.aborted) throw new ClientGone()
    throw cause
  })
  const respond = (shown: object, status: number) =>
    jsonReply(shown, status, reply.headers, translation.warnings)
  if (reply.status !== 200) {
    const { error, status } = claudeErrorAsOpenAi(answer, reply.status)
    return respond({ error }, status)
  }
  const counted = Counted.safeParse(answer)
  if (!counted.success) throw new Refusal('all_backends_failed', 'The upstream did not count the tokens.')
  const { input_tokens } = counted.data
  return respond({ object: 'response.input_tokens', input_tokens }, 200)
}

/** The members that Claude counts; it refuses the others here. */
function countedText(request: MessagesRequest): string {
  const { model, messages, system, tools, tool_choice, thinking, output_config } = request
  return requestText({ model, messages, system, tools, tool_choice, thinking, output_config })
}
