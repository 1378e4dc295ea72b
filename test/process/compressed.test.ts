/** Long answers are compressed on Node, for those who take them so. */
import { expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'

test('a reader who takes gzip gets less to read, and reads the same', async () => {
  const gateway = await startGateway({
    backends: [{ name: 'a', url: 'http://127.0.0.1:1', api_key: 'k-of-a' }],
  })
  const read = async (accept: string) => {
    const answer = await fetch(`${gateway.url}/openapi.json`, { headers: { 'accept-encoding': accept } })
    return { encoding: answer.headers.get('content-encoding'), text: await answer.text() }
  }
  const zipped = await read('gzip')
  const plain = await read('identity')
  expect([zipped.encoding, plain.encoding]).toEqual(['gzip', null])
  expect(zipped.text).toBe(plain.text)
  await gateway.stop()
})
