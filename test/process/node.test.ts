import { expect, test } from 'vitest'
import { answersContracts } from '../contracts/all.ts'
import { NODE, startGateway } from '../support/gateway.ts'

answersContracts(NODE)

test.each([
  ['limits.store', { limits: { store: 'durable-object' } }, 'local or database'],
  ['health.store', { health: { store: 'durable-object' } }, 'memory or database'],
])(
  '%s that Node does not have ends the start as an error of the configuration',
  async (path, stores, offered) => {
    const backends = [{ name: 'a', url: 'http://127.0.0.1:9' }]
    const expected = `${path}: ${offered} is expected on Node without redis.url`
    // What it logged before may have come first.
    await expect(startGateway({ backends, ...stores })).rejects.toThrow(
      new RegExp(`the gateway ended with 78: [^]*${expected}`),
    )
  },
)
