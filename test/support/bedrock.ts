/**
 * An Amazon Bedrock in front of a scriptable Claude: it checks what the real one does (signature, path, body, betas), frames streams
 * and words errors as it does.
 */
import type { ServerResponse } from 'node:http'
import type { AwsKeys } from '../../adapters/drivers/credentials/aws.ts'
import { chunkFrame } from './amazon-frames.ts'
import {
  askClaude,
  type CloudRequest,
  type CloudServer,
  handOn,
  headerIn,
  startCloudServer,
  wholeOf,
} from './cloud-server.ts'
import type { CloudChecks } from './clouds.ts'
import type { FakeUpstream } from './upstream.ts'

export interface BedrockParts {
  claude: FakeUpstream
  region: string
  /** Who may call: a Bedrock API key, or keys that sign. */
  apiKey?: string
  signed?: { keys: () => AwsKeys; checks: CloudChecks; now: () => number }
}

const PATH = /^\/model\/([^/]+)\/(invoke|invoke-with-response-stream|count-tokens)$/
/** https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html */
const FIELDS = new Set([
  'anthropic_version',
  'anthropic_beta',
  'max_tokens',
  'messages',
  'system',
  'stop_sequences',
  'temperature',
  'top_p',
  'top_k',
  'tools',
  'tool_choice',
  'thinking',
  'metadata',
  'output_config',
  'safeguards',
  'context_management',
])
/** The second is that of Anthropic's own clients, for Claude 4.7 and newer. */
const VERSIONS = new Set(['bedrock-2023-05-31', '2026-10-21'])
const BETAS =
  /^(?:compact|computer-use|context-1m|context-management|effort|fine-grained|interleaved|thinking|tool-search|mid-conv)/
const FAILED: Readonly<Record<string, readonly [number, string]>> = {
  invalid_request_error: [400, 'ValidationException'],
  authentication_error: [403, 'UnrecognizedClientException'],
  permission_error: [403, 'AccessDeniedException'],
  not_found_error: [404, 'ResourceNotFoundException'],
  request_too_large: [413, 'ValidationException'],
  rate_limit_error: [429, 'ThrottlingException'],
  timeout_error: [408, 'ModelTimeoutException'],
  overloaded_error: [503, 'ServiceUnavailableException'],
  api_error: [500, 'InternalServerException'],
}

export function startBedrock(parts: BedrockParts): Promise<CloudServer> {
  return startCloudServer(async (asked, response) => {
    const [, model = '', target] = PATH.exec(asked.url) ?? []
    if (target === undefined || asked.method !== 'POST')
      return refuse(response, 404, 'UnknownOperationException', '')
    const problem = await problemOf(parts, asked)
    if (problem)
      return refuse(response, 403, problem, 'The security token included in the request is invalid.')
    const given: unknown = JSON.parse(asked.body.toString())
    const invocation = target === 'count-tokens' ? invocationIn(given) : given
    const fault = faultOf(invocation)
    if (fault) return refuse(response, 400, 'ValidationException', fault)
    const stream = target === 'invoke-with-response-stream'
    const body = {
      model: decodeURIComponent(model),
      ...(invocation as object),
      ...(stream ? { stream } : {}),
    }
    const path = target === 'count-tokens' ? '/v1/messages/count_tokens' : '/v1/messages'
    const answer = await askClaude(parts.claude, { path, headers: asked.headers, body }, response)
    if (!answer) return
    if (answer.statusCode !== 200) return failed(await wholeOf(answer), answer.statusCode ?? 500, response)
    const type = { 'x-amzn-requestid': 'req_bedrock', date: new Date().toUTCString() }
    if (target === 'count-tokens') {
      const { input_tokens } = JSON.parse((await wholeOf(answer)).toString())
      response.writeHead(200, { ...type, 'content-type': 'application/json' })
      response.end(JSON.stringify({ inputTokens: input_tokens }))
    } else if (stream) {
      response.writeHead(200, { ...type, 'content-type': 'application/vnd.amazon.eventstream' })
      await handOn(answer, response, framing())
    } else {
      response.writeHead(200, { ...type, 'content-type': 'application/json' })
      await handOn(answer, response)
    }
  })
}

/** Server-sent events as frames; Bedrock sends no pings. */
function framing(): (piece: Buffer) => Buffer {
  let rest = ''
  return (piece) => {
    const events = (rest + piece.toString()).split('\n\n')
    rest = events.pop() ?? ''
    const data = events.map((event) => event.replace(/^[\s\S]*?data: /, ''))
    return Buffer.concat(data.filter((json) => !json.includes('"type":"ping"')).map(chunkFrame))
  }
}

async function problemOf(
  { apiKey, signed, region }: BedrockParts,
  asked: CloudRequest,
): Promise<string | null> {
  if (apiKey !== undefined) {
    return headerIn(asked.headers, 'authorization') === `Bearer ${apiKey}`
      ? null
      : 'UnrecognizedClientException'
  }
  if (!signed) return 'AccessDeniedException'
  const url = `http://${headerIn(asked.headers, 'host')}${asked.url}`
  const { keys, checks, now } = signed
  return checks.signature({ ...asked, url, region, service: 'bedrock', keys: keys(), now: now() })
}

function invocationIn(given: unknown): unknown {
  const { body } = (given as { input: { invokeModel: { body: string } } }).input.invokeModel
  return JSON.parse(Buffer.from(body, 'base64').toString())
}

/** Why the real one would not take a body; undefined if it would. */
function faultOf(given: unknown): string | undefined {
  const body = given as Record<string, unknown>
  if (!VERSIONS.has(String(body.anthropic_version))) return 'anthropic_version: Field required'
  if (body.max_tokens === undefined) return 'max_tokens: Field required'
  const extra = Object.keys(body).find((field) => !FIELDS.has(field))
  if (extra !== undefined) return `${extra}: Extra inputs are not permitted`
  const betas = (body.anthropic_beta ?? []) as string[]
  return betas.every((beta) => BETAS.test(beta)) ? undefined : 'invalid beta flag'
}

function failed(body: Buffer, status: number, response: ServerResponse) {
  const said = parsed(body)
  const [code, name] = FAILED[said?.error?.type ?? ''] ?? [status, 'InternalServerException']
  refuse(response, code, name, said?.error?.message ?? '')
}

function parsed(body: Buffer): { error?: { type?: string; message?: string } } | undefined {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}

function refuse(response: ServerResponse, status: number, name: string, message: string) {
  response.writeHead(status, {
    'content-type': 'application/json',
    'x-amzn-errortype': `${name}:http://internal.amazon.com/coral/com.amazon.bedrock/`,
    'x-amzn-requestid': 'req_bedrock',
  })
  response.end(JSON.stringify({ message }))
}
