/** Claude Platform on AWS, Foundry and Mantle in front of a scriptable Claude: each checks what the real one does. */
import type { ServerResponse } from 'node:http'
import {
  askClaude,
  type CloudRequest,
  type CloudServer,
  handOn,
  headerIn,
  startCloudServer,
} from './cloud-server.ts'
import type { FakeUpstream } from './upstream.ts'

interface Refusal {
  status: number
  headers?: Record<string, string>
  body: object
}

interface Place {
  /** What stands before /v1. */
  base: string
  /** Why it does not take the request; `body` is the parsed one. */
  refuse(asked: CloudRequest, body: Record<string, unknown>): Refusal | undefined
}

const claudes = (status: number, type: string, message: string): Refusal => ({
  status,
  body: { type: 'error', error: { type, message } },
})
const amazons = (status: number, type: string, message: string): Refusal => ({
  status,
  headers: { 'x-amzn-errortype': type },
  body: { message },
})
const azures = (status: number, code: string, message: string): Refusal => ({
  status,
  body: { error: { code, message } },
})
const isBearer = ({ headers }: CloudRequest, key: string) =>
  headerIn(headers, 'authorization') === `Bearer ${key}`

function startPlace(claude: FakeUpstream, { base, refuse }: Place): Promise<CloudServer> {
  return startCloudServer(async (asked, response) => {
    if (!asked.url.startsWith(`${base}/v1/`)) {
      return answer(response, claudes(404, 'not_found_error', 'Not Found'))
    }
    const body: Record<string, unknown> = JSON.parse(asked.body.toString() || '{}')
    const refusal = refuse(asked, body)
    if (refusal) return answer(response, refusal)
    const path = asked.url.slice(base.length)
    const came = await askClaude(claude, { path, headers: asked.headers, body }, response)
    if (!came) return
    response.writeHead(came.statusCode ?? 500, came.headers)
    await handOn(came, response)
  })
}

function answer(response: ServerResponse, { status, headers, body }: Refusal) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}

/** https://platform.claude.com/docs/en/build-with-claude/claude-platform-on-aws */
export function startClaudeOnAws(given: { claude: FakeUpstream; key: string; workspace: string }) {
  return startPlace(given.claude, {
    base: '',
    refuse(asked) {
      if (!isBearer(asked, given.key)) {
        return amazons(
          403,
          'UnrecognizedClientException',
          'The security token included in the request is invalid.',
        )
      }
      if (headerIn(asked.headers, 'anthropic-workspace-id') === given.workspace) return undefined
      return claudes(400, 'invalid_request_error', 'anthropic-workspace-id: a workspace is required')
    },
  })
}

/** https://platform.claude.com/docs/en/build-with-claude/claude-in-microsoft-foundry */
export function startFoundry(given: { claude: FakeUpstream; key: string; deployments: readonly string[] }) {
  return startPlace(given.claude, {
    base: '/anthropic',
    refuse(asked, { model }) {
      const { headers } = asked
      if (headerIn(headers, 'x-api-key') !== given.key && !isBearer(asked, given.key)) {
        return azures(401, '401', 'Access denied due to invalid subscription key or wrong API endpoint.')
      }
      if (given.deployments.includes(String(model))) return undefined
      return azures(404, 'DeploymentNotFound', 'The API deployment for this resource does not exist.')
    },
  })
}

/** https://docs.aws.amazon.com/bedrock/latest/userguide/inference-messages-api.html */
export function startMantle(given: { claude: FakeUpstream; key: string }) {
  return startPlace(given.claude, {
    base: '/anthropic',
    refuse(asked, { model, ...members }) {
      if (!isBearer(asked, given.key)) {
        return amazons(403, 'AccessDeniedException', 'Authentication failed: the API key is not valid.')
      }
      if (headerIn(asked.headers, 'anthropic-beta') !== undefined) {
        return claudes(400, 'invalid_request_error', 'anthropic-beta: no such header is taken')
      }
      if (!String(model).startsWith('anthropic.')) return claudes(404, 'not_found_error', `model: ${model}`)
      const unknown = ['tags', 'diagnostics', 'context_management'].find((key) => key in members)
      if (unknown === undefined) return undefined
      return claudes(400, 'invalid_request_error', `${unknown}: Extra inputs are not permitted`)
    },
  })
}
