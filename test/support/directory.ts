/** A company's directory that pushes people and groups by SCIM, with the headers and bodies that Okta and Entra send. */
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { createAdminKey } from '../../core/keys/admin-keys.ts'
import type { Db } from '../../core/ports.ts'
import type { Answer } from './browser.ts'

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User'
export const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group'
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp'

type Ask = (path: string, init: RequestInit) => Promise<Response>

export interface Directory {
  get(path: string): Promise<Answer>
  post(path: string, body: unknown): Promise<Answer>
  put(path: string, body: unknown): Promise<Answer>
  patch(path: string, ...operations: object[]): Promise<Answer>
  delete(path: string): Promise<Answer>
  /** Finds by a filter: totalResults and the resources. */
  find(kind: 'Users' | 'Groups', filter: string): Promise<{ total: number; ids: string[] }>
}

/** With an admin key of the scope scim. `ask` sends a request to the gateway. */
export async function directoryOf(
  db: Db,
  ask: Ask,
  type = 'application/scim+json; charset=utf-8',
): Promise<Directory> {
  const parts = { db, clock: systemClock, actor: COMMAND_LINE, sha256 }
  const name = `directory ${crypto.randomUUID()}`
  const { secret } = await createAdminKey(parts, { name, scopes: ['scim'], expiresAt: null })
  const send = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await ask(`/scim/v2${path}`, {
      method,
      headers: {
        accept: 'application/scim+json',
        authorization: `Bearer ${secret}`,
        ...(body === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = text !== '' && response.headers.get('content-type')?.includes('json')
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : undefined,
    }
  }
  return {
    get: (path) => send('GET', path),
    post: (path, body) => send('POST', path, body),
    put: (path, body) => send('PUT', path, body),
    patch: (path, ...Operations) => send('PATCH', path, { schemas: [PATCH], Operations }),
    delete: (path) => send('DELETE', path),
    async find(kind, filter) {
      const { body } = await send('GET', `/${kind}?filter=${encodeURIComponent(filter)}`)
      return { total: body.totalResults, ids: body.Resources.map(({ id }: { id: string }) => id) }
    },
  }
}

/** A person as Okta creates them. */
export function oktaUser(userName: string, more: object = {}) {
  const [given = userName] = userName.split('@')
  return {
    schemas: [USER],
    userName,
    name: { givenName: given, familyName: 'Lee' },
    emails: [{ primary: true, value: userName, type: 'work' }],
    displayName: `${given} Lee`,
    locale: 'en-US',
    externalId: `00u-${userName}`,
    groups: [],
    password: '1mz050nq',
    active: true,
    ...more,
  }
}

/** A person as Entra creates them. */
export function entraUser(userName: string, more: object = {}) {
  return {
    schemas: [USER, ENTERPRISE],
    externalId: `oid-${userName}`,
    userName,
    active: true,
    emails: [{ primary: true, type: 'work', value: userName }],
    meta: { resourceType: 'User' },
    name: { formatted: 'given family', familyName: 'family', givenName: 'given' },
    roles: [],
    ...more,
  }
}

export function pushedGroup(displayName: string, ids: readonly string[] = [], more: object = {}) {
  return { schemas: [GROUP], displayName, members: ids.map((value) => ({ value })), ...more }
}
