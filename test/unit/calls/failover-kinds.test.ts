import { describe, expect, test } from 'vitest'
import { backend } from '../../support/backends.ts'
import { call } from '../../support/call.ts'
import { failoverScene, OVERLOADED, SERVED } from '../../support/failover.ts'
import { refusalOf } from '../../support/refusals.ts'

const MANTLE = backend('mantle', { kind: 'bedrock-mantle', weight: 1_000_000 })
const VERTEX = backend('vertex', { kind: 'vertex', weight: 1_000_000 })
const CLAUDE = backend('claude', { weight: 1 })
const FILE = { uses: new Map([['file_sources', 'messages.0.content.0']] as const) }
const long = { body: new Uint8Array(30_000_001) }

describe('a call that not every kind of backend can serve', () => {
  test('goes only to one that can', async () => {
    const scene = failoverScene({ mantle: SERVED, claude: SERVED }, { backends: [MANTLE, CLAUDE] })
    await scene.send(FILE)
    await scene.send()
    expect(scene.tried).toEqual(['claude', 'mantle'])
  })

  test('fails over to none that cannot', async () => {
    const scene = failoverScene({ mantle: SERVED, claude: OVERLOADED }, { backends: [MANTLE, CLAUDE] })
    expect(await scene.send(FILE)).toMatchObject({ kind: 'kept', answer: { status: 529 } })
    expect(scene.tried).toEqual(['claude'])
  })

  test.each([{}, { boundTo: 'mantle' }])('is refused by its field where there is none: %o', async (given) => {
    const scene = failoverScene({ mantle: SERVED }, { backends: [MANTLE] })
    expect(await refusalOf(scene.send({ ...FILE, ...given }))).toMatchObject({
      status: 400,
      message: 'messages.0.content.0: no upstream of this model can do this here.',
    })
    expect(scene.tried).toEqual([])
  })

  test('is not refused for what a backend can do that is out', async () => {
    const scene = failoverScene({ mantle: SERVED }, { backends: [MANTLE, { ...CLAUDE, weight: 0 }] })
    expect(await refusalOf(scene.send(FILE))).toMatchObject({ code: 'no_backend_available' })
  })

  test('because of its size goes elsewhere, or is refused as too large', async () => {
    const scene = failoverScene({ vertex: SERVED, claude: SERVED }, { backends: [VERTEX, CLAUDE] })
    await scene.send(long)
    expect(scene.tried).toEqual(['claude'])
    const alone = failoverScene({ vertex: SERVED }, { backends: [VERTEX] })
    expect(await refusalOf(alone.send(call(long)))).toMatchObject({ status: 413 })
  })
})
