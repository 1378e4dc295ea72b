/** Anthropic's Admin API by an admin key, whatever runtime the gateway is on. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { createAdminKey } from '../../core/keys/admin-keys.ts'
import { answerOf } from '../support/browser.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
/** 249,900 input tokens at 4 and 20 output tokens at 20 micro-dollars: a call costs a dollar. */
const DOLLAR = { input_tokens: 249_900, output_tokens: 20 }

export function programsContract({ name, start }: Runtime) {
  describe(`a program that administers, on ${name}`, () => {
    let upstream: FakeUpstream
    let gateway: Gateway
    let adminKey: string
    beforeAll(async () => {
      upstream = await startUpstream()
      upstream.answer({
        headers: { 'content-type': 'application/json' },
        chunks: [messageJson({ usage: DOLLAR })],
      })
      gateway = await start({ backends: [{ name: 'a', url: upstream.url }] })
      const parts = { db: gateway.db, clock: systemClock, actor: COMMAND_LINE, sha256 }
      const wanted = { name: 'terraform', scopes: ['write'] as const, expiresAt: null }
      adminKey = (await createAdminKey(parts, wanted)).secret
    })
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
    })

    const ask = async (method: string, path: string, body?: object) => {
      const answer = await fetch(`${gateway.url}/v1/organizations${path}`, {
        method,
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
      return answerOf(answer)
    }

    test('makes a group with a member and a pool, and reads what its calls cost', async () => {
      const { secret, userId } = await gateway.newKey()
      const user_id = `user_${userId}`
      const { id } = (await ask('POST', '/rbac_groups', { name: 'Web' })).body
      expect((await ask('POST', `/rbac_groups/${id}/members`, { user_id })).status).toBe(200)
      const workspace_id = id.replace('rbac_group', 'wrkspc')
      const scope = { type: 'workspace', workspace_id }
      expect((await ask('POST', '/spend_limits', { scope, amount: '100' })).body).toMatchObject({ scope })
      await ask('POST', '/spend_limits', { scope: { type: 'user', user_id }, amount: '5000' })
      const call = async () => (await gateway.send(ASK, { key: secret })).status
      await expect.poll(call, { timeout: 15_000 }).toBe(429)
      await gateway.rows(1)

      const since = new Date(Date.now() - 2 * 86_400_000).toISOString()
      const costs = (path: string) => async () => {
        const { data } = (await ask('GET', `${path}?starting_at=${since}&group_by[]=workspace_id`)).body
        return data.flatMap(({ results }: { results: object[] }) => results)
      }
      await expect
        .poll(costs('/cost_report'))
        .toContainEqual(expect.objectContaining({ workspace_id, amount: '100', currency: 'USD' }))
      expect(await costs('/usage_report/messages')()).toContainEqual(
        expect.objectContaining({ workspace_id, uncached_input_tokens: 249_900, output_tokens: 20 }),
      )
      const effective = await ask('GET', `/spend_limits/effective?user_ids[]=${user_id}`)
      expect(effective.body.data).toMatchObject([{ amount: '5000', period_to_date_spend: '100' }])
      expect((await ask('DELETE', `/users/${user_id}`)).status).toBe(200)
      await expect.poll(call, { timeout: 15_000 }).toBe(401)
    })

    test('is answered in Anthropic’s envelope also where there is nothing', async () => {
      expect(await ask('GET', '/external_keys')).toMatchObject({
        status: 404,
        body: { type: 'error', error: { type: 'not_found_error', details: { error_code: 'not_found' } } },
      })
    })
  })
}
