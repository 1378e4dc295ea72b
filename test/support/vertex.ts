/** A Google Cloud in front of a scriptable Claude: it checks token, path, version and size, and words its own errors. */
import { generateKeyPairSync } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { askClaude, type CloudServer, handOn, headerIn, startCloudServer } from './cloud-server.ts'
import type { CloudChecks } from './clouds.ts'
import type { FakeUpstream } from './upstream.ts'

export interface SimulatedVertex extends CloudServer {
  /** The key file of an account that may call. */
  serviceAccount: Record<string, string>
}

/** The second is that of Anthropic's own clients. */
const VERSIONS = new Set(['vertex-2023-10-16', '2026-10-21'])
const LARGEST = 30_000_000
const EMAIL = 'gateway@project-7.iam.gserviceaccount.com'

export async function startVertex(parts: {
  claude: FakeUpstream
  project: string
  region: string
  /** Without them whoever asks gets a token. */
  checks?: CloudChecks
  /** A token that is always valid. */
  token?: string
}): Promise<SimulatedVertex> {
  const { claude, project, region, checks } = parts
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const tokens = new Set(parts.token === undefined ? [] : [parts.token])
  const models = `/v1/projects/${project}/locations/${region}/publishers/anthropic/models/`

  const grant = async (form: string, response: ServerResponse) => {
    const assertion = new URLSearchParams(form).get('assertion') ?? ''
    const audience = `${server.url}/token`
    const problem = await checks?.grant({
      assertion,
      public_key: publicKey,
      audience,
      issuer: EMAIL,
      key_id: 'k1',
    })
    if (problem) return json(response, 400, { error: 'invalid_grant', error_description: problem })
    const access_token = `ya29.token-${tokens.size}`
    tokens.add(access_token)
    json(response, 200, { access_token, expires_in: 3599, token_type: 'Bearer' })
  }

  const server = await startCloudServer(async (asked, response) => {
    if (asked.url === '/token') return grant(asked.body.toString(), response)
    const token = /^Bearer (.+)$/.exec(headerIn(asked.headers, 'authorization') ?? '')?.[1]
    if (token === undefined || !tokens.has(token)) {
      return refuse(response, 401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.')
    }
    const [model = '', method] = asked.url.startsWith(models) ? asked.url.slice(models.length).split(':') : []
    if (method !== 'rawPredict' && method !== 'streamRawPredict') {
      return refuse(response, 404, 'NOT_FOUND', `Publisher Model \`projects/${project}/x\` was not found.`)
    }
    if (asked.body.length > LARGEST) {
      const text = `The request size (${asked.body.length} bytes) exceeds 30.000MB limit.`
      return refuse(response, 400, 'FAILED_PRECONDITION', text)
    }
    const body: Record<string, unknown> = JSON.parse(asked.body.toString())
    const counts = model === 'count-tokens'
    const fault = faultOf(body, { counts, streams: method === 'streamRawPredict', headers: asked.headers })
    if (fault) return refuse(response, 400, 'INVALID_ARGUMENT', fault)
    const path = counts ? '/v1/messages/count_tokens' : '/v1/messages'
    const named = counts ? body : { model: decodeURIComponent(model), ...body }
    const answer = await askClaude(claude, { path, headers: asked.headers, body: named }, response)
    if (!answer) return
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    await handOn(answer, response)
  })
  return {
    ...server,
    serviceAccount: {
      type: 'service_account',
      project_id: project,
      private_key_id: 'k1',
      private_key: privateKey,
      client_email: EMAIL,
      token_uri: `${server.url}/token`,
    },
  }
}

function faultOf(
  body: Record<string, unknown>,
  { counts, streams, headers }: { counts: boolean; streams: boolean; headers: (readonly [string, string])[] },
): string | undefined {
  if (!VERSIONS.has(String(body.anthropic_version))) return 'anthropic_version: Field required'
  if (headerIn(headers, 'anthropic-version') !== undefined) return 'anthropic-version: not here'
  if (counts ? typeof body.model !== 'string' : 'model' in body)
    return 'model: Extra inputs are not permitted'
  if (!counts && (body.stream ?? false) !== streams) return 'stream: does not fit the method'
  const extra = ['tags', 'diagnostics', 'service_tier'].find((field) => field in body)
  return extra && `${extra}: Extra inputs are not permitted`
}

function refuse(response: ServerResponse, code: number, status: string, message: string) {
  json(response, code, { error: { code, message, status } })
}

function json(response: ServerResponse, status: number, body: object) {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' })
  response.end(JSON.stringify(body))
}
