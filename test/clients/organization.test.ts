/** The official SDKs administer the gateway: their organisation resources, unchanged, in both versions of the API. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, test } from 'vitest'
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { createAdminKey } from '../../core/keys/admin-keys.ts'
import { createKey } from '../../core/keys/manage.ts'
import { registerUser } from '../../core/users/manage.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'
import { PROGRAMS_FOLDER, PYTHON } from './install.ts'

const run = promisify(execFile)
const PROGRAMS = join(import.meta.dirname, 'programs')

describe('the SDK', () => {
  let upstream: FakeUpstream
  let gateway: TestGateway
  beforeEach(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({ backends: [{ name: 'a', url: upstream.url }] })
    // So that nobody is there but whom the program administers.
    await gateway.db.run(sql`update users set deleted_at = 1, status = 'disabled'`)
    mkdirSync(PROGRAMS_FOLDER, { recursive: true })
    copyFileSync(join(PROGRAMS, 'organization.mjs'), join(PROGRAMS_FOLDER, 'organization.mjs'))
  })
  afterEach(async () => {
    await gateway.stop()
    await upstream.stop()
  })

  /** People, a key, and two who ask for more; as ids of the API. */
  const prepared = async () => {
    const parts = { db: gateway.db, clock: systemClock, actor: COMMAND_LINE, sha256 }
    const person = async (itcode: string, role: 'user' | 'admin' = 'user') =>
      (await registerUser(parts, { itcode, role, quotaTokens: 0 }))?.id ?? 0
    const userId = await person('ann@corp.example')
    const adminId = await person('boss@corp.example', 'admin')
    const otherId = await person('ben@corp.example')
    const { key } = await createKey(parts, { userId, name: 'laptop', expiresAt: null })
    const { secret } = await createAdminKey(parts, { name: 'sdk', scopes: ['write'], expiresAt: null })
    const at = Date.now()
    await gateway.db.run(sql`insert into increase_requests (id, user_id, period, amount_micros, reason, status, created_at,
      updated_at) values (1, ${otherId}, 'monthly', 9000000, 'work', 'pending', ${at}, ${at}),
      (2, ${otherId}, 'daily', 9000000, 'work', 'pending', ${at}, ${at})`)
    return {
      API_KEY: secret,
      USER: `user_${userId}`,
      ADMIN: `user_${adminId}`,
      KEY: `apikey_${key.id}`,
      ASKED: 'slir_1',
      REFUSED: 'slir_2',
      BASE_URL: gateway.url,
    }
  }

  test.for([
    { language: 'TypeScript', VERSION: '' },
    { language: 'TypeScript', VERSION: '2023-06-01' },
    { language: 'Python', VERSION: '' },
    { language: 'Python', VERSION: '2023-06-01' },
  ])('for $language administers in version "$VERSION"', async ({ language, VERSION }, { expect }) => {
    const given = await prepared()
    const [command, file] =
      language === 'Python'
        ? [PYTHON, join(PROGRAMS, 'python/organization.py')]
        : [process.execPath, join(PROGRAMS_FOLDER, 'organization.mjs')]
    const env = { PATH: process.env.PATH, ...given, VERSION }
    const { stdout } = await run(command, [file], { env, timeout: 60_000 })
    const { USER } = given
    const bad = (kind: string, code: string) => ({ kind, status: 400, code })
    const missing = { kind: 'NotFoundError', status: 404, code: 'not_found' }
    const workspace_id = expect.stringMatching(/^wrkspc_\d+$/)
    const old = { principal: { type: 'user', id: USER }, scope: null, workspace_id }
    const current = {
      principal: { type: 'user_actor', user_id: USER },
      scope: { type: 'workspace', workspace_id },
      workspace_id: null,
    }
    expect(JSON.parse(stdout)).toEqual({
      me: 'organization',
      renamed: 'Web',
      groups: ['B', 'C'],
      members: [[USER, 'ann@corp.example']],
      invite: ['pending', 'user', 1],
      invites: 1,
      workspaces: ['Web', 'B', 'C'],
      key: VERSION === '' ? current : old,
      off: 'inactive',
      keys: 1,
      rates: ['model_group'],
      limit: ['50000', 'monthly'],
      limits: ['user'],
      effective: [['50000', 'user', '0']],
      approved: ['approved', '70000', 'scoped_api_key_actor'],
      denied: 'denied',
      requests: 1,
      users: ['ann@corp.example', 'boss@corp.example', 'ben@corp.example'],
      admins: ['boss@corp.example'],
      billing: 'billing',
      types: ['invite_deleted', 'spend_limit_deleted', 'user_deleted', 'rbac_group_deleted'],
      failures: {
        twice: bad('InviteAlreadyExistsError', 'invite_already_exists'),
        member: bad('AlreadyMemberError', 'already_member'),
        lastAdmin: bad('CannotRemoveLastMemberError', 'cannot_remove_last_member'),
        noUser: missing,
        noMember: missing,
        unserved: missing,
      },
    })
  })
})
