import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const MOST_BYTES = 64 * 1024

describe('bodies on a socket', () => {
  let upstream: FakeUpstream
  let gateway: TestGateway
  beforeAll(async () => {
    upstream = await startUpstream()
    gateway = await startGateway({
      backends: [{ name: 'a', url: upstream.url }],
      limits: { max_body_bytes: MOST_BYTES },
    })
  })
  afterAll(async () => {
    await gateway?.stop()
    await upstream?.stop()
  })
  /** A connection on which the head of a call was sent. */
  const begun = async (framing: string) => {
    const { hostname, port } = new URL(gateway.url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    await once(socket, 'connect')
    const head = ['POST /v1/messages HTTP/1.1', `host: ${hostname}`, `x-api-key: ${gateway.key}`, framing]
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    return socket
  }

  test('a client that leaves before its body is whole is no error, and nothing is sent on', async () => {
    for (const framing of ['content-length: 1000', 'transfer-encoding: chunked']) {
      const socket = await begun(framing)
      socket.write(framing.startsWith('content') ? '{"model":' : '9\r\n{"model":\r\n')
      await new Promise((resolve) => setTimeout(resolve, 50))
      socket.destroy()
    }
    // The next call is answered after both were heard of.
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
    expect(gateway.output()).not.toContain('request.failed')
    expect(upstream.requests).toEqual([])
  })

  test('a body without a length is refused as soon as it is too long', async () => {
    const socket = await begun('transfer-encoding: chunked')
    const [line] = [`${(16 * 1024).toString(16)}\r\n${' '.repeat(16 * 1024)}\r\n`]
    for (let i = 0; i < 5; i++) socket.write(line)
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 413 /)
    socket.destroy()
    expect(upstream.requests).toEqual([])
  })
})
