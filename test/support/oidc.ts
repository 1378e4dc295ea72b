/** A real provider of OpenID Connect on a port of its own, whose people do what a test says. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'
import type { Answer, Browser } from './browser.ts'

/** Claims by subject; `gone`: the account exists no more. */
interface PersonThere {
  claims: Record<string, unknown>
  gone?: boolean
}

export interface OidcServer {
  issuer: string
  people: Map<string, PersonThere>
  /** Who is at the browser, by subject. */
  who: string
  /** What the token endpoint answers from now on; undefined: what is right. */
  fails: number | 'invalid_client' | undefined
  /** What the token endpoint waits for before it answers. */
  hold: Promise<void> | undefined
  /** Requests to the token endpoint, by grant type. */
  asked: string[]
  /** Goes through the provider's pages as `who`, and returns where it leads back to. */
  visit(address: string): Promise<URL>
  stop(): Promise<void>
}

const CLAIMS = ['sub', 'oid', 'hd', 'groups', '_claim_names', 'department', 'realm_access']
export const CLIENT = { client_id: 'gateway', client_secret: 'b6c0a2d1f84e4a57ac913e5d' }

/** `redirectUris`: of the gateway. `userInfoOnly`: claims besides the subject are at /userinfo alone. */
export async function startOidc({
  redirectUris,
  userInfoOnly = false,
}: {
  redirectUris: string[]
  userInfoOnly?: boolean
}): Promise<OidcServer> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  // It listens on a port.
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const people = new Map<string, PersonThere>()
  const provider = new Provider(issuer, {
    clients: [
      {
        ...CLIENT,
        redirect_uris: redirectUris,
        grant_types: ['authorization_code', 'refresh_token'],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: 'one' }] },
    cookies: { keys: ['of a test'] },
    claims: { openid: CLAIMS, email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: userInfoOnly,
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    ttl: {
      Session: 60,
      Interaction: 60,
      Grant: 86_400,
      AccessToken: 600,
      IdToken: 600,
      RefreshToken: 86_400,
    },
    async findAccount(_, sub) {
      const person = people.get(sub)
      if (!person || person.gone) return undefined
      return { accountId: sub, claims: async () => ({ sub, ...people.get(sub)?.claims }) }
    },
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client?.clientId,
        accountId: oidc.session?.accountId,
      })
      grant.addOIDCScope('openid email profile offline_access')
      await grant.save()
      return grant
    },
  })
  const callback = provider.callback()
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url?.startsWith('/interaction/')) {
      const result = { login: { accountId: made.who } }
      void provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })
      return
    }
    if (request.url === '/token' && made.fails !== undefined) {
      const { fails } = made
      response.writeHead(typeof fails === 'number' ? fails : 401, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: typeof fails === 'number' ? 'server_error' : fails }))
      return
    }
    const answer = () => void callback(request, response)
    if (request.url === '/token' && made.hold) void made.hold.then(answer)
    else answer()
  })
  const made: OidcServer = {
    issuer,
    people,
    who: '',
    fails: undefined,
    hold: undefined,
    asked: [],
    visit: (address) => visit(issuer, address),
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  provider.on('grant.success', ({ oidc }) => void made.asked.push(String(oidc.params?.grant_type)))
  return made
}

/** Goes to the provider and back as `who`. Returns the gateway's last answer. */
export async function signInAt(
  there: OidcServer,
  browser: Browser,
  name: string,
  next = '/',
): Promise<Answer> {
  const start = await browser.get(`/api/auth/oidc/${name}/start?next=${encodeURIComponent(next)}`)
  const location = start.headers.get('location')
  if (start.status !== 303 || !location) throw new Error(`${start.status} ${start.text}`)
  const back = await there.visit(location)
  return browser.get(`${back.pathname}${back.search}`)
}

/** Follows redirects as a browser with cookies does, until one leads away. */
async function visit(issuer: string, address: string): Promise<URL> {
  const cookies = new Map<string, string>()
  let at = new URL(address, issuer)
  for (let steps = 0; steps < 10; steps++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(at, { redirect: 'manual', headers: { cookie } })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    if (location === null) throw new Error(`${at.pathname}: ${answer.status} ${await answer.text()}`)
    at = new URL(location, at)
    if (at.origin !== issuer) return at
  }
  throw new Error('the provider leads in a circle')
}
