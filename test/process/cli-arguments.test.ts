/** What is typed wrongly on the command line is told in a sentence, and nothing is made of it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createInstallation, type Installation } from '../support/installation.ts'

/** Each command is a process of its own. */
const SLOW_MS = 240_000

let installation: Installation
beforeAll(async () => {
  installation = createInstallation({
    backends: [{ name: 'a', url: 'http://127.0.0.1:9' }],
    secrets: { key: 'f3Q0mZ7xV1cN8bL5kT2wR9dJ4hS6gP0aYuE' },
  })
  await installation.cli('user', 'create', 'ann')
}, SLOW_MS)
afterAll(() => installation.remove())

const said = async (...args: string[]) => {
  const { code, stdout, stderr } = await installation.cli(...args)
  return { code, stdout, stderr: stderr.trim() }
}

test.each([
  [['audit', 'lst'], /^audit: |"lst" is too much/],
  [['usr', 'list'], /^"usr list" is no command\.\n\nUsage: /],
  [['user', 'create', 'eve', '--rpm', '-5'], /^--rpm: at least 0 is expected\.$/],
  [
    ['user', 'create', 'eve', '--budget', '-5'],
    /^--budget: 0, or from 0\.000001 to 1000000000, is expected\.$/,
  ],
  [['group', 'create', ''], 'GROUP: a text is expected.'],
  [['group', 'create', 'a\u001b[31mb\nc'], 'GROUP: a text is expected.'],
  [['group', 'create', 'x'.repeat(101)], 'A name of at most 100 characters is expected.'],
  [['group', 'create', 'g', '--lead-max', '1e300'], /^--lead-max: /],
  [['user', 'create', 'eve', '--name', 'I\u001b[31m'], /^--name: /],
  [['user', 'create', 'eve', '--name', 'x'.repeat(101)], /^--name: /],
  [['admin-keys', 'create', ''], 'NAME: a text is expected.'],
  [
    ['invitation', 'revoke', 'abc'],
    'ID: the number of an invitation is expected; invitation list shows them.',
  ],
  [['channel', 'test', 'abc'], 'ID: the number of a channel is expected; channel list shows them.'],
  [['invitation', 'create'], 'Type addresses, or --file FILE with a list of them.'],
  [['report', '--by', 'user,user'], '--by: two different ones are expected.'],
  [['request', 'approve', 'limit-1', '--amount', '1e300'], /^--amount: /],
])(
  '%j is told',
  async (args, expected) => {
    const told = await said(...args)
    expect(told).toMatchObject({ code: 1, stdout: '' })
    expect(told.stderr).toMatch(expected)
    expect(told.stderr).not.toMatch(/query|SQL|NaN/)
  },
  SLOW_MS,
)

test(
  'options may stand before the command, and a list of nothing has the names of its columns',
  async () => {
    const audit = await said('--limit', '1', 'audit', 'list', '--csv')
    expect([audit.code, audit.stdout.trim().split('\r\n').length]).toEqual([0, 2])
    expect((await said('report', '--by', 'user', '--bucket', 'day', '--csv')).stdout).toMatch(
      /^bucket,user,requests,errors,.*,web_searches\n$/,
    )
    expect((await said('key', 'list', '--csv')).stdout).toMatch(/^id,owner,.*\n$/)
  },
  SLOW_MS,
)

test(
  'nothing was made of it',
  async () => {
    expect((await said('group', 'list', '--json')).stdout).not.toMatch(/"name": "(?!unassigned)/)
    expect(JSON.parse((await said('user', 'list', '--json')).stdout)).toMatchObject([{ itcode: 'ann' }])
    expect((await said('admin-keys', 'list')).stdout).toBe('There are no admin keys yet.\n')
  },
  SLOW_MS,
)

test(
  'a secret that is shown once is printed in each form',
  async () => {
    expect((await said('key', 'create', 'ann', '--csv')).stdout).toMatch(
      /^id,owner,key\r\n1,ann,sk-[A-Za-z0-9]{40}\n$/,
    )
    await said('user', 'update', 'ann', '--status', 'disabled')
    expect((await said('key', 'create', 'ann')).stderr).toBe('ann is disabled.')
  },
  SLOW_MS,
)

test(
  'people of a file are invited, without an address beside it',
  async () => {
    const file = join(installation.folder, 'people.csv')
    writeFileSync(file, 'email,name\nx@example.com,X\ny@example.com,Y\n')
    expect((await said('invitation', 'create', '--file', file, '--csv')).stdout).toMatch(
      /x@example\.com.*\r\n.*y@example\.com/,
    )
    // Without server.public_url.
    expect(await said('invitation', 'create', 'w@example.com')).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^Put the gateway's address before each link/),
    })
    expect((await said('invitation', 'create', 'z@example.com', '--file', file)).code).toBe(1)
  },
  SLOW_MS,
)
