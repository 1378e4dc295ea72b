/** People who sign in to a gateway on any runtime; their codes go to a webhook. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import type { User } from '../../core/auth/account.ts'
import { systemClock } from '../../core/clock.ts'
import { findUser, registerUser, updateUser } from '../../core/users/manage.ts'
import { answerOf, type Browser, browserOf } from './browser.ts'
import type { Gateway } from './runtime.ts'

export type Person = Browser & { id: number }

export interface People {
  /** For auth.send_code_url. */
  url: string
  browser(gateway: Gateway): Browser
  /** Signs in through the interface. `role` makes the account before, or changes it. */
  signIn(gateway: Gateway, itcode: string, role?: User['role']): Promise<Person>
  stop(): Promise<void>
}

/** `address`: the public one of their gateway, where it is not the one that it listens at. */
export async function startPeople(address?: string): Promise<People> {
  const codes = new Map<string, PromiseWithResolvers<string>>()
  const codeOf = (itcode: string) => {
    const known = codes.get(itcode) ?? Promise.withResolvers<string>()
    codes.set(itcode, known)
    return known
  }
  const post = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { email, html } = JSON.parse(body)
    codeOf(email).resolve(/<h1>(\w+)<\/h1>/.exec(html)?.[1] ?? '')
    response.end()
  }).listen(0, '127.0.0.1')
  await once(post, 'listening')
  const browser = (gateway: Gateway) =>
    browserOf(
      async (path, init) => answerOf(await fetch(`${gateway.url}${path}`, init)),
      () => address ?? gateway.url,
    )
  return {
    url: `http://127.0.0.1:${(post.address() as AddressInfo).port}/`, // it listens on a port
    browser,
    async signIn(gateway, itcode, role) {
      if (role) {
        const parts = { db: gateway.db, clock: systemClock, actor: COMMAND_LINE }
        const known = await findUser(gateway.db, itcode)
        const user = known ?? (await registerUser(parts, { itcode, role, quotaTokens: 0 }))
        if (user && user.role !== role) await updateUser(parts, user.id, { role })
      }
      const used = browser(gateway)
      codes.delete(itcode)
      const sent = await used.post('/api/auth/send-code', { itcode })
      if (sent.status !== 200) throw new Error(`no code for ${itcode}: ${sent.text}`)
      const answer = await used.post('/api/auth/login', { itcode, code: await codeOf(itcode).promise })
      if (answer.status !== 200) throw new Error(`no session for ${itcode}: ${answer.text}`)
      return { ...used, id: answer.body.user.id }
    },
    async stop() {
      post.closeAllConnections()
      post.close()
      await once(post, 'close')
    },
  }
}
