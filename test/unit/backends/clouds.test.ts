import { describe, expect, test } from 'vitest'
import { BEDROCK } from '../../../core/backends/kinds/bedrock.ts'
import type { Kind, Outgoing } from '../../../core/backends/kinds/kind.ts'
import { VERTEX } from '../../../core/backends/kinds/vertex.ts'
import type { HeaderPairs } from '../../../core/ports.ts'
import { backend } from '../../support/backends.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()
const AWS = backend('aws', {
  url: 'https://bedrock-runtime.us-east-1.amazonaws.com',
  region: 'us-east-1',
  upstreamModels: new Map([['claude-sonnet-4-5', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0']]),
})
const GOOGLE = backend('google', {
  url: 'https://aiplatform.googleapis.com',
  region: 'global',
  project: 'project-7',
  upstreamModels: new Map([['claude-sonnet-4-5', 'claude-sonnet-4-5@20250929']]),
})
const HEADERS: HeaderPairs = [
  ['accept-encoding', 'identity'],
  ['accept', 'text/event-stream'],
  ['content-type', 'application/json; charset=utf-8'],
  ['anthropic-version', '2023-06-01'],
  ['anthropic-beta', 'interleaved-thinking-2025-05-14, oauth-2025-04-20,advanced-tool-use-2025-11-20'],
  ['x-app', 'cli'],
]

const outgoing = (body: string, given: Partial<Outgoing> = {}): Outgoing => ({
  method: 'POST',
  path: '/v1/messages?beta=true',
  headers: HEADERS,
  body: ENCODER.encode(body),
  model: 'claude-sonnet-4-5',
  stream: false,
  openAi: false,
  ...given,
})
const COUNT = '/v1/messages/count_tokens?beta=true'

function addressed(kind: Kind, body: string, given?: Partial<Outgoing>) {
  const {
    origin,
    path,
    headers,
    body: made,
    leftOut,
  } = kind.addressed(kind === BEDROCK ? AWS : GOOGLE, outgoing(body, given))
  return { at: origin + path, headers: Object.fromEntries(headers), body: DECODER.decode(made), leftOut }
}

describe('Bedrock', () => {
  const MODEL = 'us.anthropic.claude-sonnet-4-5-20250929-v1%3A0'

  test('gets the model in the path, version and known betas in the body, and every other byte as it came', () => {
    expect(addressed(BEDROCK, '{"model":"claude-sonnet-4-5", "stream" : false,\n "messages":[ ] }')).toEqual({
      at: `https://bedrock-runtime.us-east-1.amazonaws.com/model/${MODEL}/invoke`,
      headers: {
        'accept-encoding': 'identity',
        'x-app': 'cli',
        accept: 'application/json',
        'content-type': 'application/json',
      },
      body: '{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["interleaved-thinking-2025-05-14","tool-search-tool-2025-10-19"],\n "messages":[ ] }',
      leftOut: ['anthropic-beta: oauth-2025-04-20'],
    })
  })

  test('is asked for a stream by path alone, also where the model has no other name there', () => {
    const { at, body } = addressed(BEDROCK, '{"stream":true,"a":1}', {
      stream: true,
      headers: [],
      model: 'm/ö',
    })
    expect(at).toBe(
      'https://bedrock-runtime.us-east-1.amazonaws.com/model/m%2F%C3%B6/invoke-with-response-stream',
    )
    expect(body).toBe('{"anthropic_version":"bedrock-2023-05-31","a":1}')
  })

  test('gets no hints that it does not know, and says which; betas of the body are its betas', () => {
    const hints =
      '"tags":{},"diagnostics":{},"cache_control":{},"service_tier":"auto","context_management":{}'
    const plain = addressed(BEDROCK, `{"a":1,${hints}}`, { headers: [] })
    expect(plain.body).toBe('{"anthropic_version":"bedrock-2023-05-31","a":1}')
    expect(plain.leftOut).toEqual([
      'tags',
      'diagnostics',
      'cache_control',
      'service_tier',
      'context_management',
    ])
    const managed = addressed(
      BEDROCK,
      '{"context_management":{},"anthropic_beta":["context-management-2025-06-27"]}',
      {
        headers: [],
      },
    )
    expect(managed.body).toBe(
      '{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-management-2025-06-27"],"context_management":{}}',
    )
    expect(managed.leftOut).toEqual([])
  })

  test('counts what an invocation would hold, under the name of the model itself', () => {
    const { at, body } = addressed(BEDROCK, '{"model":"claude-sonnet-4-5","messages":["é"]}', {
      path: COUNT,
      headers: [],
    })
    expect(at).toMatch(/\/model\/anthropic\.claude-sonnet-4-5-20250929-v1%3A0\/count-tokens$/)
    const invocation = Buffer.from(JSON.parse(body).input.invokeModel.body, 'base64').toString()
    expect(invocation).toBe('{"anthropic_version":"bedrock-2023-05-31","max_tokens":1,"messages":["é"]}')
    const long = 'x'.repeat(100_001)
    const large = addressed(BEDROCK, `{"max_tokens":5,"a":"${long}"}`, { path: COUNT, headers: [] })
    const held = Buffer.from(JSON.parse(large.body).input.invokeModel.body, 'base64').toString()
    expect(JSON.parse(held)).toEqual({ anthropic_version: 'bedrock-2023-05-31', max_tokens: 5, a: long })
  })
})

describe('Google Cloud', () => {
  const MODELS =
    'https://aiplatform.googleapis.com/v1/projects/project-7/locations/global/publishers/anthropic/models'

  test('gets the model in the path, the version in the body, known betas in the header, and stream in both', () => {
    expect(addressed(VERTEX, '{"model":"claude-sonnet-4-5","stream":true,"a":1}', { stream: true })).toEqual({
      at: `${MODELS}/claude-sonnet-4-5@20250929:streamRawPredict`,
      headers: {
        'accept-encoding': 'identity',
        'x-app': 'cli',
        accept: 'text/event-stream',
        'content-type': 'application/json; charset=utf-8',
        'anthropic-beta': 'interleaved-thinking-2025-05-14,tool-search-tool-2025-10-19',
      },
      body: '{"anthropic_version":"vertex-2023-10-16","stream":true,"a":1}',
      leftOut: ['anthropic-beta: oauth-2025-04-20'],
    })
    expect(addressed(VERTEX, '{"model":"m","tags":{}}', { headers: [] })).toMatchObject({
      at: `${MODELS}/claude-sonnet-4-5@20250929:rawPredict`,
      headers: {},
      body: '{"anthropic_version":"vertex-2023-10-16"}',
      leftOut: ['tags'],
    })
  })

  test('counts with the model in the body, under its name there', () => {
    const { at, body } = addressed(VERTEX, '{"messages":[],"model":"claude-sonnet-4-5"}', { path: COUNT })
    expect(at).toBe(`${MODELS}/count-tokens:rawPredict`)
    expect(body).toBe(
      '{"anthropic_version":"vertex-2023-10-16","messages":[],"model":"claude-sonnet-4-5@20250929"}',
    )
  })
})

const NOW = Date.UTC(2026, 10, 26)
function judged(kind: Kind, status: number, body: string | object, headers: HeaderPairs = []) {
  const bytes = ENCODER.encode(typeof body === 'string' ? body : JSON.stringify(body))
  const answer = { status, headers, body: bytes }
  const verdict = kind.verdictOf({ ...answer, now: NOW })
  const shown = kind.errorOf?.(answer)
  return { verdict: verdict.kind, shown: `${shown?.status} ${DECODER.decode(shown?.body)}` }
}

describe('errors of Bedrock', () => {
  const type = (name: string): HeaderPairs => [
    ['x-amzn-errortype', `${name}:http://internal.amazon.com/coral/com.amazon.bedrock/`],
  ]
  const ARN = 'arn:aws:iam::123456789012:role/gateway'

  test.each([
    [400, 'ValidationException', 'messages.0: Field required'],
    [400, 'ValidationException', 'Input is too long for requested model.'],
    [400, 'ValidationException', 'Input is too long.'],
    [400, 'ValidationException', 'The provided model identifier is invalid.'],
    [
      400,
      'ValidationException',
      'Invocation of model ID anthropic.x with on-demand throughput isn’t supported.',
    ],
    [400, 'ValidationException', 'output_config.format: Extra inputs are not permitted'],
    [400, 'ValidationException', 'anthropic_beta: fast-mode-2026-02-01 is unknown'],
    [400, 'IncompleteSignature', 'x'],
    [403, 'AccessDeniedException', `User: ${ARN} is not authorized to perform: bedrock:InvokeModel`],
    [403, 'AccessDeniedException', 'Authentication failed: Please make sure your API Key is valid.'],
    [403, 'UnrecognizedClientException', 'The security token included in the request is invalid.'],
    [403, 'ExpiredTokenException', 'The security token included in the request is expired'],
    [404, 'ResourceNotFoundException', 'Model use case details have not been submitted for this account.'],
    [408, 'ModelTimeoutException', 'Model has timed out.'],
    [400, 'ServiceQuotaExceededException', 'Your request exceeds the service quota for your account.'],
    [424, 'ModelErrorException', 'The system encountered an unexpected error.'],
    [429, 'ThrottlingException', 'Too many requests, please wait before trying again.'],
    [429, 'ModelNotReadyException', 'Model is not ready for inference.'],
    [500, 'InternalServerException', 'x'],
    [503, 'ServiceUnavailableException', 'Too many connections.'],
    [418, 'SomethingNew', `of ${ARN}`],
  ])('%i %s: %s', (status, name, message) => {
    expect(judged(BEDROCK, status, { message }, type(name))).toMatchSnapshot()
  })

  test('a throttled account cools down, whoever called', () => {
    const answer = {
      status: 429,
      headers: type('ThrottlingException'),
      body: ENCODER.encode('{"message":"x"}'),
    }
    expect(BEDROCK.verdictOf({ ...answer, now: NOW })).toMatchObject({ untilMs: NOW + 10_000 })
  })

  test('that are in Anthropic’s envelope already, or of a proxy, stay as they are', () => {
    const own = '{"type":"error","error":{"type":"invalid_request_error","message":"m"}}'
    expect(judged(BEDROCK, 400, own)).toEqual({ verdict: 'callers', shown: `400 ${own}` })
    expect(judged(BEDROCK, 403, '<html>blocked</html>')).toEqual({
      verdict: 'foreign',
      shown: '403 <html>blocked</html>',
    })
  })
})

describe('errors of Google', () => {
  const error = (code: number, status: string, message: string, reason?: string) => ({
    error: { code, message, status, ...(reason ? { details: [{ '@type': 'ErrorInfo', reason }] } : {}) },
  })

  test.each([
    [400, 'INVALID_ARGUMENT', 'tags: Extra inputs are not permitted'],
    [400, 'FAILED_PRECONDITION', 'The request size (31000000 bytes) exceeds 30.000MB limit.'],
    [401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.'],
    [
      403,
      'PERMISSION_DENIED',
      "Permission 'x' denied on resource '//aiplatform/projects/project-7/locations/global'",
    ],
    [
      404,
      'NOT_FOUND',
      'Publisher Model `projects/project-7/x` was not found or your project has no access to it.',
    ],
    [429, 'RESOURCE_EXHAUSTED', 'Quota exceeded for online_prediction_requests_per_base_model.'],
    [499, 'CANCELLED', 'x'],
    [500, 'INTERNAL', 'x'],
    [503, 'UNAVAILABLE', 'x'],
    [504, 'DEADLINE_EXCEEDED', 'x'],
    [409, 'ABORTED', 'of gateway@project-7.iam.gserviceaccount.com'],
  ])('%i %s: %s', (code, status, message) => {
    expect(judged(VERTEX, code, error(code, status, message))).toMatchSnapshot()
  })

  test('a project that is not paid for is no caller’s fault', () => {
    const unpaid = error(403, 'PERMISSION_DENIED', 'This API method requires billing.', 'BILLING_DISABLED')
    expect(judged(VERTEX, 403, unpaid).verdict).toBe('account_unpaid')
    expect(judged(VERTEX, 429, [error(429, 'RESOURCE_EXHAUSTED', 'x')]).verdict).toBe('pair_cooldown')
  })

  test('that are in Anthropic’s envelope already, or a web page, stay as they are', () => {
    const own = '{"type":"error","error":{"type":"overloaded_error","message":"m"}}'
    expect(judged(VERTEX, 529, own)).toEqual({ verdict: 'pair_failed', shown: `529 ${own}` })
    expect(judged(VERTEX, 404, '<html>404</html>').verdict).toBe('foreign')
  })
})
