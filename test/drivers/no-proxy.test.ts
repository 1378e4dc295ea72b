import { expect, test } from 'vitest'
import { isExempt } from '../../adapters/drivers/upstream/proxy.ts'

const at = (host: string, port = 443) => ({ host, port })

test.each<[string, ReturnType<typeof at>, boolean]>([
  ['', at('a.test'), false],
  ['*', at('a.test'), true],
  ['a.test', at('a.test'), true],
  ['a.test', at('A.TEST'), true],
  ['a.test', at('b.a.test'), true],
  ['a.test', at('ba.test'), false],
  ['.a.test', at('b.a.test'), true],
  ['*.a.test', at('b.a.test'), true],
  ['b.test, a.test', at('a.test'), true],
  ['b.test a.test', at('a.test'), true],
  ['a.test:8443', at('a.test'), false],
  ['a.test:8443', at('a.test', 8443), true],
  ['127.0.0.1', at('127.0.0.1', 80), true],
  ['::1', at('::1', 8443), true],
  ['localhost,[fd00::2]', at('fd00::2'), true],
  ['[::1]:8443', at('::1', 8443), true],
  ['[::1]:8443', at('::1'), false],
  ['::1', at('::2'), false],
  ['10.0.0.0/8', at('10.200.3.4'), true],
  ['10.0.0.0/8', at('11.0.0.1'), false],
  ['10.0.0.0/8:8443', at('10.200.3.4'), false],
  ['10.0.0.0/8', at('fd00::2'), false],
  ['10.0.0.0/8', at('ten.test'), false],
  ['fd00::/8', at('fd12::2'), true],
  ['[fd00::]/8', at('fd12::2'), false],
  ['fd00::/8', at('fe00::2'), false],
  ['10.0.0.0/99,10.0.0.0/,10.0.0.0/x,/8,a/8', at('10.0.0.1'), false],
  ['0.0.0.0/0', at('8.8.8.8'), true],
])('NO_PROXY %o and %o: %o', (list, target, exempt) => {
  expect(isExempt(list, target)).toBe(exempt)
})
