import { describe, expect, test } from 'vitest'
import { createCatalogue } from '../../../core/models/catalogue.ts'
import type { UpstreamRequest } from '../../../core/ports.ts'
import type { Backend } from '../../../core/settings.ts'
import { ANN, backend, OPUS } from '../../support/backends.ts'
import { balancing } from '../../support/balancing.ts'
import { type PlainAnswer, portUpstream, silence } from '../../support/port-upstream.ts'

const DAY_MS = 86_400_000
const LIST = listOf(OPUS)
const DOWN: PlainAnswer = { status: 503 }
const REFUSED: PlainAnswer = { status: 401 }
const NO_LIST: PlainAnswer = { status: 404 }
/** Of a backend that takes calls and says nothing. */
const SILENT: PlainAnswer = { status: 0 }

function listOf(...ids: string[]): PlainAnswer {
  return { body: { data: ids.map((id) => ({ id })) } }
}

/** `answers`: what each backend answers, by its name. */
function setUp(
  answers: Record<string, PlainAnswer>,
  given: { startupCheck?: 'normal' | 'strict' | 'off'; serving?: boolean; backends?: Backend[] } = {},
) {
  const { startupCheck = 'normal', serving = false } = given
  const backends = given.backends ?? Object.keys(answers).map((name) => backend(name))
  const { balancer, clock, logger, stateOf, wanted, outages, settled } = balancing(backends)
  const nameOf = ({ origin }: UpstreamRequest) => new URL(origin).hostname.replace('.test', '')
  const upstream = portUpstream((request, signal) => {
    const answer = answers[nameOf(request)] ?? DOWN
    return answer === SILENT ? silence(signal) : answer
  })
  const settings = { health: { startupCheck } } as Parameters<typeof createCatalogue>[0]['settings']
  const catalogue = createCatalogue({
    settings,
    upstream,
    clock,
    logger,
    balancer,
    serving,
    waitUntil: () => {},
  })
  const asked = () => upstream.asked.splice(0).map(nameOf)
  const warnings = () => logger.lines.splice(0).map(({ event, fields }) => ({ event, ...fields }))
  const ids = async () => (await catalogue.models()).map(({ id }) => id)
  return { answers, balancer, clock, catalogue, asked, warnings, ids, stateOf, wanted, outages, settled }
}

test('a backend without an API key is checked with its credentials', async () => {
  const { balancer, clock, logger } = balancing([backend('a', { apiKey: '', kind: 'claude-on-aws' })])
  const upstream = portUpstream(() => LIST)
  const settings = { health: { startupCheck: 'normal' } } as Parameters<typeof createCatalogue>[0]['settings']
  const signed: [string, string] = ['authorization', 'AWS4-HMAC-SHA256 of this request']
  const credentials = { headers: () => [signed], secrets: () => [], renew: async () => {} }
  const parts = { settings, upstream, clock, logger, balancer, serving: false, waitUntil: () => {} }
  await createCatalogue({ ...parts, credentialsOf: () => credentials }).checkAll()
  expect(upstream.asked[0]?.headers).toContainEqual(signed)
})

const usable = async ({ balancer, wanted }: ReturnType<typeof setUp>) =>
  (await balancer.select(wanted({ person: ANN }), new Set()))?.backend.name

describe('the list of models', () => {
  test('holds those of all backends once, in their order', async () => {
    const { ids } = setUp({ a: listOf('m1', 'm2'), b: listOf('m2', 'm3') })
    expect(await ids()).toEqual(['m1', 'm2', 'm3'])
  })

  test('leaves out what a backend does not serve, and backends that are switched off', async () => {
    const backends = [backend('a', { models: ['m1'] }), backend('off', { enabled: false })]
    const { ids, asked } = setUp({ a: listOf('m1', 'm2'), off: listOf('m3') }, { backends })
    expect(await ids()).toEqual(['m1'])
    expect(asked()).toEqual(['a'])
  })

  test('is read again once it is older than a day', async () => {
    const { ids, asked, clock, answers } = setUp({ a: listOf('m1') })
    await ids()
    answers.a = listOf('m2')
    clock.advance(DAY_MS)
    expect([await ids(), asked()]).toEqual([['m1'], ['a']])
    clock.advance(1)
    expect([await ids(), asked()]).toEqual([['m2'], ['a']])
  })

  test('is read once for all who ask at the same time', async () => {
    const { ids, asked } = setUp({ a: LIST })
    expect(await Promise.all([ids(), ids()])).toEqual([[OPUS], [OPUS]])
    expect(asked()).toEqual(['a'])
  })

  test('stays as it was while the backend is down, which is asked again after a minute', async () => {
    const { ids, asked, clock, answers, warnings } = setUp({ a: LIST })
    await ids()
    answers.a = DOWN
    clock.advance(DAY_MS + 1)
    asked()
    expect(await ids()).toEqual([OPUS])
    expect(warnings()).toEqual([{ event: 'backend.check_failed', backend: 'a', reason: 'answered 503' }])
    clock.advance(60_000)
    expect([await ids(), asked()]).toEqual([[OPUS], ['a']])
    clock.advance(1)
    expect([await ids(), asked()]).toEqual([[OPUS], ['a']])
  })

  test('is empty without an answer, which is not the same as a list that is empty', async () => {
    const { ids, catalogue, answers, clock, warnings } = setUp({ a: DOWN, b: DOWN })
    expect([await ids(), catalogue.answered()]).toEqual([[], false])
    answers.b = NO_LIST
    clock.advance(60_001)
    warnings()
    expect([await ids(), catalogue.answered()]).toEqual([[], true])
    expect(warnings()).toContainEqual({
      event: 'backend.no_model_list',
      backend: 'b',
      status: 404,
      hint: 'is its url right?',
    })
    answers.b = DOWN
    clock.advance(60_001)
    expect([await ids(), catalogue.answered()]).toEqual([[], true])
  })

  test('does not wait long for a backend that is silent, where others are known', async () => {
    const { ids, clock, settled } = setUp({ a: SILENT, b: listOf('m2') })
    const first = ids()
    await settled()
    clock.advance(2_000)
    expect(await first).toEqual(['m2'])
    // Who comes later does not wait anew, although it is still being asked.
    expect(await ids()).toEqual(['m2'])
    clock.advance(8_000)
    await settled()
    expect(await ids()).toEqual(['m2'])
  })

  test('waits for the first answer where no list is known', async () => {
    const { ids, catalogue, clock, settled } = setUp({ a: SILENT, b: DOWN })
    let list: string[] | undefined
    const first = ids().then((found) => (list = found))
    await settled()
    clock.advance(9_999)
    await settled()
    expect(list).toBeUndefined()
    clock.advance(1)
    expect([await first, catalogue.answered()]).toEqual([[], false])
  })

  test('refreshes what was read before and is a day old, and nothing else', async () => {
    const { catalogue, asked, clock } = setUp({ a: LIST, b: LIST })
    await catalogue.refresh()
    expect(asked()).toEqual([])
    await catalogue.check(backend('a'))
    asked()
    await catalogue.refresh()
    expect(asked()).toEqual([])
    clock.advance(DAY_MS + 1)
    await catalogue.refresh()
    expect(asked()).toEqual(['a'])
  })

  test('tells what is known of one model and of one backend without asking', async () => {
    const { catalogue, asked, ids } = setUp({ a: listOf('m1'), b: listOf('m2'), c: DOWN })
    expect([catalogue.known('m2'), catalogue.listedBy(backend('a'))]).toEqual([undefined, undefined])
    await ids()
    asked()
    expect([catalogue.known('m2'), catalogue.known('m3')]).toEqual([{ id: 'm2' }, undefined])
    const listed = ['a', 'b', 'c', 'd'].map((name) => catalogue.listedBy(backend(name)))
    expect([listed, asked()]).toEqual([[['m1'], ['m2'], undefined, undefined], []])
  })
})

describe('the check at the start', () => {
  test('asks every backend that is new and switched on', async () => {
    const { catalogue, asked, balancer } = setUp({ a: LIST, b: LIST, c: LIST })
    balancer.adjust('b', { enabled: false })
    balancer.memory.newcomers.delete('c')
    await catalogue.checkAll()
    expect(asked()).toEqual(['a'])
  })

  test('asks nobody where it is off', async () => {
    const { catalogue, asked } = setUp({ a: LIST }, { startupCheck: 'off' })
    expect(catalogue.ready()).toBe(true)
    await catalogue.checkAll()
    expect([asked(), catalogue.ready()]).toEqual([[], true])
  })

  test('makes the gateway ready with the first backend that answers, or once it is over', async () => {
    for (const answers of [{ a: LIST }, { a: NO_LIST }, { a: DOWN }, { a: REFUSED }]) {
      const { catalogue } = setUp(answers)
      expect(catalogue.ready()).toBe(false)
      await catalogue.checkAll()
      expect(catalogue.ready()).toBe(true)
    }
  })

  test('does not wait for others once one has answered', async () => {
    const waiting = Promise.withResolvers<PlainAnswer>()
    const { balancer, clock, logger } = balancing([backend('a'), backend('b')])
    const upstream = portUpstream(({ origin }) => (origin.includes('a.test') ? LIST : waiting.promise))
    const settings = { health: { startupCheck: 'normal' } } as Parameters<
      typeof createCatalogue
    >[0]['settings']
    const catalogue = createCatalogue({
      settings,
      upstream,
      clock,
      logger,
      balancer,
      serving: false,
      waitUntil: () => {},
    })
    const checking = catalogue.checkAll()
    await expect.poll(() => catalogue.ready()).toBe(true)
    waiting.resolve(LIST)
    await checking
  })

  test('finds a gateway ready that served calls before a reload', () => {
    expect(setUp({ a: LIST }, { serving: true }).catalogue.ready()).toBe(true)
  })

  test.each([
    ['normal', 'down', DOWN, 'ejected', 30_000],
    ['normal', 'refused', REFUSED, 'disabled', 60_000],
  ] as const)('%s: a backend that is %s is out for a while', async (startupCheck, _, answer, state, ms) => {
    const scene = setUp({ a: answer }, { startupCheck })
    await scene.catalogue.checkAll()
    await scene.settled()
    expect([scene.stateOf('a'), scene.outages]).toEqual([state, [`a ${state}`]])
    scene.clock.advance(ms - 1)
    expect(await usable(scene)).toBeUndefined()
    scene.clock.advance(1)
    expect(await usable(scene)).toBe('a')
  })

  test.each([
    ['down', DOWN],
    ['refused', REFUSED],
  ])('strict: a backend that is %s is out for good', async (_, answer) => {
    const scene = setUp({ a: answer }, { startupCheck: 'strict' })
    await scene.catalogue.checkAll()
    scene.clock.advance(30 * DAY_MS)
    expect([scene.stateOf('a'), await usable(scene)]).toEqual(['disabled', undefined])
  })

  test.each([LIST, NO_LIST])('leaves a backend that answers as it is (%j)', async (answer) => {
    const scene = setUp({ a: answer }, { startupCheck: 'strict' })
    await scene.catalogue.checkAll()
    expect([scene.stateOf('a'), await usable(scene)]).toEqual(['healthy', 'a'])
  })
})

describe('the check of an administrator', () => {
  test('lets calls go at once to a backend that answers', async () => {
    const scene = setUp({ a: DOWN })
    await scene.catalogue.checkAll()
    scene.answers.a = LIST
    expect(await scene.catalogue.check(backend('a'))).toBe(true)
    expect([scene.stateOf('a'), await usable(scene)]).toEqual(['half_open', 'a'])
  })

  test.each([
    ['down', DOWN, 'ejected'],
    ['refused', REFUSED, 'disabled'],
  ])('takes a backend out that is %s', async (_, answer, state) => {
    const scene = setUp({ a: answer })
    expect(await scene.catalogue.check(backend('a'))).toBe(false)
    expect([scene.stateOf('a'), scene.catalogue.ready()]).toEqual([state, false])
    // Not for good.
    scene.clock.advance(60_000)
    await scene.settled()
    expect(await usable(scene)).toBe('a')
  })

  test('makes the gateway ready', async () => {
    const { catalogue } = setUp({ a: LIST })
    await catalogue.check(backend('a'))
    expect(catalogue.ready()).toBe(true)
  })
})
