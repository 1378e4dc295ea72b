import { expect, test } from 'vitest'
import { isMetadataAddress } from '../../../core/backends/metadata-address.ts'

/** Every form of IPv6 in which an IPv4 address is carried. */
const forms = (words: string) => [
  `::ffff:${words}`,
  `::${words}`,
  `::ffff:0:${words}`,
  `64:ff9b::${words}`,
  `64:ff9b:1::${words}`,
  `2002:${words}::1`,
]

test.each([
  '169.254.0.1',
  '169.254.255.255',
  '100.100.100.200',
  '168.63.129.16',
  'fe80::1',
  'febf::1',
  'fd00:ec2::254',
  'fd20:ce::254',
  ...forms('a9fe:a9fe'),
  ...forms('6464:64c8'),
])('%s is link-local or a metadata service', (address) => {
  expect(isMetadataAddress(address)).toBe(true)
})

test.each([
  '169.253.255.255',
  '169.255.0.1',
  '100.100.100.201',
  '127.0.0.1',
  '::1',
  'fec0::1',
  'fd00:ec2::255',
  '2001:db8::a9fe:a9fe',
  '2003:a9fe:a9fe::1',
  'name.test',
  ...forms('a9fd:a9fe'),
])('%s is neither', (address) => {
  expect(isMetadataAddress(address)).toBe(false)
})
