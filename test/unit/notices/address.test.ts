import { describe, expect, test } from 'vitest'
import { isPublicAddress, problemOfAddress } from '../../../core/notices/address.ts'

describe('no channel is at', () => {
  test.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '100.100.100.200',
    '169.254.169.254',
    '168.63.129.16',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '192.0.2.1',
    '::1',
    '::',
    'fe80::1',
    'fd00:ec2::254',
    '::ffff:10.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'ff02::1',
    'not an address',
  ])('%s', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })
})

test.each(['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808'])(
  'a channel may be at %s',
  (address) => {
    expect(isPublicAddress(address)).toBe(true)
  },
)

const ADDRESSES: readonly [url: string, problem: string | undefined, where: string | undefined][] = [
  ['https://hooks.slack.test/a', undefined, undefined],
  ['https://8.8.8.8/a', undefined, undefined],
  ['http://hooks.slack.test/a', 'an https address is expected', undefined],
  ['http://8.8.8.8/a', 'an https address is expected', 'an https address is expected'],
  ['https://10.0.0.1/', 'a public address is expected', undefined],
  ['https://0x7f.1/', 'a public address is expected', undefined],
  ['https://2130706433/', 'a public address is expected', undefined],
  ['https://[::1]/', 'a public address is expected', undefined],
  ['https://localhost/', 'a public address is expected', undefined],
  [
    'https://ann:word@hooks.test/',
    'an address without a user is expected',
    'an address without a user is expected',
  ],
  ['file:///etc/passwd', 'an https address is expected', 'an https address is expected'],
  ['nothing', 'an https address is expected', 'an https address is expected'],
]
test.each(ADDRESSES)('%s as the address of a channel', (url, usually, whereAllowed) => {
  expect(problemOfAddress(url, false)).toBe(usually)
  expect(problemOfAddress(url, true)).toBe(whereAllowed)
})
