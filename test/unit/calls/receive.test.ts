import { describe, expect, test } from 'vitest'
import { settingsFrom } from '../../../config/settings.ts'
import { inspect } from '../../../core/calls/inspect.ts'
import { factsOf, type Received, receive } from '../../../core/calls/receive.ts'
import type { Deps } from '../../../core/deps.ts'
import { createStop } from '../../../core/stop.ts'
import { OPUS } from '../../support/backends.ts'
import { caller } from '../../support/call.ts'
import { fakeClock } from '../../support/clock.ts'
import { refusalFrom } from '../../support/refusals.ts'
import { load, MINIMAL } from '../config/settings.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const { signal } = createStop()
const MODELS = {
  models: {
    rules: [
      { match: 'closed-*', access: 'closed' },
      { match: 'asked-*', access: 'approval' },
    ],
  },
  model_replacements: { fast: 'claude-haiku-5-5', secret: 'closed-1' },
}
const bodyOf = (members: object) => encoder.encode(JSON.stringify({ model: OPUS, max_tokens: 5, ...members }))

function setUp(
  file: object = MODELS,
  bind: Deps['objects']['bind'] = () => ({ boundTo: undefined, steersTo: undefined }),
) {
  const clock = fakeClock()
  const bound: unknown[][] = []
  const freed: Uint8Array[] = []
  const deps = {
    clock,
    settings: settingsFrom(load({ ...MINIMAL, ...file })),
    prices: { canonical: (model: string) => model.replace(/-20\d+$/, '') },
    objects: {
      bind: (...given: Parameters<typeof bind>) => {
        bound.push(given)
        return bind(...given)
      },
    },
    wire: { free: (body: Uint8Array) => freed.push(body) > 0 },
  } as unknown as Deps // what is used of them here
  const received = (members: object, given: Partial<Received> = {}) =>
    receive(deps, {
      id: 'r',
      caller: caller(),
      path: '/p',
      headers: [],
      body: bodyOf(members),
      signal,
      ...given,
    })
  return { clock, bound, freed, received, deps }
}
const callFrom = (members: object, given: Partial<Received> = {}) => {
  const call = setUp().received(members, given)
  if (call instanceof Promise) throw new Error('it waits')
  return call
}
const problem = (members: object, file: object = MODELS, given: Partial<Received> = {}) => {
  const { code, message } = refusalFrom(() => setUp(file).received(members, given))
  return `${code} ${message}`
}

describe('a request that takes long to read', () => {
  const LONG = { messages: [{ role: 'user', content: Array(30_000).fill([]) }] }
  /** A clock on which each look at it is 1 ms later. */
  const slowly = (deps: Deps, body: Uint8Array) => {
    const clock = fakeClock()
    const elapsed = () => {
      clock.advance(1)
      return clock.elapsed()
    }
    return { clock, call: receive({ ...deps, clock: { ...clock, elapsed } }, { ...GIVEN, body }) }
  }
  const GIVEN = { id: 'r', caller: caller(), path: '/p', headers: [], signal }

  test('is read in turns, and its body given back where it is refused', async () => {
    const { deps, freed } = setUp()
    const { clock, call } = slowly(deps, bodyOf({ ...LONG, padding: Array(200_000).fill(1) }))
    expect(call).toBeInstanceOf(Promise)
    const refused = bodyOf({ padding: Array(200_000).fill(1), model: 'closed-1' })
    const other = slowly(deps, refused)
    const turns = async () => {
      for (let i = 0; i < 50; i++) {
        clock.advance(1)
        other.clock.advance(1)
        await Promise.resolve()
      }
    }
    await Promise.all([
      turns(),
      expect(call).resolves.toMatchObject({ model: OPUS }),
      expect(other.call).rejects.toMatchObject({ code: 'model_not_allowed' }),
    ])
    expect(freed).toEqual([refused])
  })
})

describe('a request becomes a call', () => {
  test('booked to the group that its tag names, if the caller is in it', () => {
    const other = caller({ billingGroupIds: [6] })
    const who = caller({ billedTo: (group) => (group === 'research' ? other : undefined) })
    const billed = (tags: unknown, file: object = { ...MODELS, claude_code: { billing_tag: 'team' } }) => {
      const call = setUp(file).received({ tags }, { caller: who })
      return call instanceof Promise ? undefined : call.caller.billingGroupIds
    }
    expect(billed({ team: 'research' })).toEqual([6])
    for (const tags of [{ team: 'else' }, { other: 'research' }, { team: 6 }, 'research', null]) {
      expect(billed(tags)).toEqual([0])
    }
    expect(billed({ team: 'research' }, MODELS)).toEqual([0])
  })

  test('or is refused, and its memory is given back at once', () => {
    for (const members of [{ model: 5 }, { model: 'closed-1' }, { stream: 'x' }]) {
      const { received, freed } = setUp()
      const body = bodyOf(members)
      refusalFrom(() => received({}, { body }))
      expect(freed).toEqual([body])
    }
    const { received, freed } = setUp()
    received({})
    expect(freed).toEqual([])
  })

  test('with its bytes unchanged', () => {
    const { clock, received } = setUp()
    clock.advance(1_234)
    const body = bodyOf({ stream: true })
    const headers: Received['headers'] = [
      ['accept', '*/*'],
      ['cookie', 'secret'],
      ['x-stainless-timeout', '60'],
    ]
    const call = received({}, { body, headers })
    expect(call).toMatchObject({
      id: 'r',
      path: '/p',
      requestedModel: OPUS,
      model: OPUS,
      stream: true,
      maxTokens: 5,
      clientTimeoutMs: 60_000,
      createdAt: clock.now(),
      startedAt: 1_234,
    })
    expect(call).toHaveProperty('body', body)
    expect(call).toHaveProperty('signal', signal)
    expect(call).toHaveProperty('headers', [
      ['accept', '*/*'],
      ['x-stainless-timeout', '60'],
      ['accept-encoding', 'identity'],
      ['anthropic-version', '2023-06-01'],
    ])
  })

  test('with the models that may answer instead, of which the dearest is reserved', () => {
    const model_fallbacks = { [OPUS]: ['claude-sonnet-5-5', 'closed-2'] }
    const { received } = setUp({ ...MODELS, model_fallbacks })
    expect(received({ fallbacks: [{ model: 'other' }] })).toMatchObject({
      fallbacks: ['claude-sonnet-5-5'],
      otherModels: ['other', 'claude-sonnet-5-5'],
    })
    expect(received({ model: 'other' })).not.toHaveProperty('fallbacks')
  })

  test('with another model in its place where an alias says so', () => {
    const call = callFrom({ model: 'fast', fallbacks: [{ model: 'fast' }, { model: OPUS }] })
    expect(call).toMatchObject({
      requestedModel: 'fast',
      model: 'claude-haiku-5-5',
      otherModels: ['fast', OPUS],
    })
    expect(JSON.parse(decoder.decode(call.body))).toMatchObject({
      model: 'claude-haiku-5-5',
      fallbacks: [{ model: 'claude-haiku-5-5' }, { model: OPUS }],
    })
  })
})

describe('a model', () => {
  test('that is closed is refused', () => {
    expect(problem({ model: 'closed-1' })).toBe('model_not_allowed The model closed-1 is not offered here.')
    expect(problem({ model: 'secret' })).toBe('model_not_allowed The model closed-1 is not offered here.')
  })

  test('that needs approval is refused with where to ask for it', () => {
    expect(problem({ model: 'asked-1' })).toBe(
      'model_not_allowed The model asked-1 needs approval. Apply for it in the dashboard.',
    )
    expect(problem({ model: 'asked-1' }, { ...MODELS, server: { public_url: 'https://gw.test' } })).toBe(
      'model_not_allowed The model asked-1 needs approval. Apply for it at https://gw.test/models.',
    )
  })

  test('that was granted is allowed, by its canonical name as well', () => {
    const granted = caller({ grants: new Set(['asked-1']) })
    expect(callFrom({ model: 'asked-1-20260901' }, { caller: granted }).model).toBe('asked-1-20260901')
    expect(problem({ model: 'asked-2' }, MODELS, { caller: granted })).toContain('needs approval')
  })

  test('that is named anywhere else obeys the same rules', () => {
    const fallback = (model: unknown) => problem({ fallbacks: [{ model }] })
    expect(fallback('closed-1')).toBe(
      'model_not_allowed fallbacks.0.model: The model closed-1 is not offered here.',
    )
    expect(fallback('asked-1')).toContain(
      'model_not_allowed fallbacks.0.model: The model asked-1 needs approval.',
    )
    expect(fallback('')).toBe('body_invalid fallbacks.0.model: a non-empty string is required.')
  })

  test('that the upstream chooses is refused where not every one is open to everybody', () => {
    expect(problem({ fallbacks: 'default' })).toBe(
      'model_not_allowed fallbacks: name the models, as you may not use every model here.',
    )
    const call = setUp({}).received({ fallbacks: 'default' })
    expect(call).toHaveProperty('model', OPUS)
    // It is a name like any other where it names one model.
    expect(callFrom({ fallbacks: [{ model: 'default' }] }).otherModels).toEqual(['default'])
  })
})

test('features that are not allowed are refused', () => {
  expect(problem({ betas: ['x'] }, { messages: { betas: [] } })).toContain('body_invalid betas.0')
})

describe('what a call names of an account', () => {
  test('binds it there', () => {
    const { received, bound } = setUp({}, () => ({ boundTo: 'b', steersTo: undefined }))
    expect(received({ container: 'c1' })).toMatchObject({ boundTo: 'b', model: OPUS })
    expect(bound).toEqual([[1, [{ kind: 'container', id: 'c1', path: 'container' }]]])
  })

  test('is waited for where it has to be looked up', async () => {
    const { received } = setUp({}, async () => ({ boundTo: 'b', steersTo: 'c' }))
    const call = received({ container: 'c1' })
    expect(call).toBeInstanceOf(Promise)
    expect(await call).toMatchObject({ boundTo: 'b', steersTo: 'c', model: OPUS })
  })

  test('is asked of nobody where nothing is named', () => {
    const { received, bound } = setUp()
    expect(received({})).toMatchObject({ boundTo: undefined })
    expect(bound).toEqual([])
  })
})

describe('what limits have to know', () => {
  const facts = (members: object, key?: string) => {
    const body = bodyOf(members)
    return factsOf(inspect(body), { caller: caller(), headers: [], body }, key)
  }

  test('is how often the upstream may use its own tools', () => {
    const tools = [
      { type: 'web_search_1', name: 's', max_uses: 3 },
      { type: 'web_search_1', name: 's' },
      { type: 'code_execution_1', name: 'c', max_uses: 4 },
      { name: 'own', input_schema: {} },
    ]
    const mcp_servers = [{ type: 'url', url: 'https://a.test', name: 'a' }]
    expect(facts({ tools, mcp_servers })).toMatchObject({ serverToolUses: 3 + 10 + 4 + 10, webSearches: 13 })
    expect(facts({})).toMatchObject({ serverToolUses: 0, webSearches: 0, otherModels: [] })
  })

  test('is what is named by reference, at what speed and for how long', () => {
    const file = { type: 'document', source: { type: 'file', file_id: 'f' } }
    expect(facts({ messages: [{ role: 'user', content: [file] }] })).toMatchObject({
      namesContentByReference: true,
    })
    expect(facts({ speed: 'fast', cache_control: { type: 'ephemeral', ttl: '1h' } })).toMatchObject({
      fast: true,
      longCache: true,
      namesContentByReference: false,
    })
  })

  test('is what not every backend can do', () => {
    expect(facts({ speed: 'fast' }).uses).toEqual(new Map([['fast', 'speed']]))
    expect(facts({}).uses).toBeUndefined()
  })

  test('is to which conversation it belongs', () => {
    expect(facts({}).conversation).toBeUndefined()
    expect(facts({}, 'k').conversation?.id).toMatch(/^1 /)
    const messages = [{ role: 'user', content: 'hello' }]
    expect(facts({ messages }).conversation?.id).not.toBe(facts({}, 'k').conversation?.id)
    expect(facts({ messages, metadata: { user_id: 'u' } }).conversation?.id).not.toBe(
      facts({ messages }).conversation?.id,
    )
  })

  test.each<[string, object, object | undefined]>([
    ['nothing', {}, undefined],
    [
      'what its tools make',
      { tools: [{ type: 'code_execution_1', name: 'c' }] },
      { thread: false, message: false },
    ],
    ['a container', { container: { skills: [] } }, { thread: false, message: false }],
    ['a thread', { thread: { type: 'new' } }, { thread: true, message: true }],
    ['a message to be diagnosed', { diagnostics: { type: 'x' } }, { thread: false, message: true }],
    ['nothing where it is null', { container: null, thread: null, diagnostics: null }, undefined],
  ])('is that its answer may make %s', (_, members, makes) => {
    expect(facts(members).makes).toEqual(makes)
  })
})
