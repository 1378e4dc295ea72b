/** A program with an admin key, which speaks plain HTTP. */
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { type AdminScope, createAdminKey } from '../../core/keys/admin-keys.ts'
import type { App } from './app.ts'
import type { Answer } from './browser.ts'

export interface Program {
  keyId: number
  get(path: string, version?: string): Promise<Answer>
  post(path: string, body?: object, version?: string): Promise<Answer>
  delete(path: string): Promise<Answer>
  /** All items of a list, page after page, by either kind of cursor. */
  all(path: string): Promise<Item[]>
}
// What a test reads of answers is checked by what it expects of them.
type Item = Answer['body']

const OLD_VERSION = '2023-06-01'
export const NEW_VERSION = '2026-10-21'

/** Paths begin after /v1/organizations. */
export async function program(app: App, scopes: readonly AdminScope[] = ['write']): Promise<Program> {
  const wanted = { name: `program ${crypto.randomUUID()}`, scopes, expiresAt: null }
  const { key, secret } = await createAdminKey({ ...app.deps, actor: COMMAND_LINE }, wanted)
  const ask = (method: string, path: string, version = OLD_VERSION, body?: object) =>
    app.request(`/v1/organizations${path}`, {
      method,
      headers: { 'x-api-key': secret, 'anthropic-version': version, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
  const get: Program['get'] = (path, version) => ask('GET', path, version)
  return {
    keyId: key.id,
    get,
    post: (path, body = {}, version) => ask('POST', path, version, body),
    delete: (path) => ask('DELETE', path),
    async all(path) {
      const items: Item[] = []
      for (let rest: string | undefined = ''; rest !== undefined; ) {
        const { status, body, text } = await get(`${path}${path.includes('?') ? '&' : '?'}${rest}`)
        if (status !== 200) throw new Error(`${path}: ${text}`)
        items.push(...body.data)
        const isNext = body.has_more ?? body.next_page !== null
        rest = isNext ? (body.next_page ? `page=${body.next_page}` : `after_id=${body.last_id}`) : undefined
      }
      return items
    },
  }
}
