/** Scripts that run many at a time on a real Redis. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { batchScript, createBatch } from '../../adapters/drivers/redis/batch.ts'
import { connectRedis, type RedisClient, readyRedis } from '../../adapters/drivers/redis/connection.ts'
import { keptLogs } from '../support/logs.ts'
import { HAS_REDIS, type RealRedis, startRedis } from '../support/redis.ts'

const ADD = `return redis.call('INCRBY', KEYS[1], ARGV[1])`
const JOIN = `return twice(table.concat(KEYS, ' ')..'|'..table.concat(ARGV, ' '))`
const scripts = batchScript('local function twice(text) return text..text end', { add: ADD, join: JOIN })

describe.skipIf(!HAS_REDIS && !process.env.CI)('scripts of one turn', () => {
  let server: RealRedis
  let redis: RedisClient
  beforeAll(async () => {
    server = await startRedis()
    redis = connectRedis({ url: server.url }, keptLogs())
    await readyRedis(redis)
  })
  beforeEach(() => server.flush())
  afterAll(async () => {
    redis.disconnect()
    await server.stop()
  })
  const commands = async () =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0)

  test('are one command and run in order, each with its own keys and arguments', async () => {
    const run = createBatch(redis, scripts)
    await run('add', ['a'], [0])
    const before = await commands()
    const answers = await Promise.all([
      run('add', ['a'], [1]),
      run('join', ['x', 'y'], [2, 'three']),
      run('join', [], []),
      run('add', ['a'], [10]),
    ])
    expect(answers).toEqual([1, 'x y|2 threex y|2 three', '||', 11])
    expect(await commands()).toBe(before + 1)
  })

  test('are several commands when there are hundreds, so that Redis does something else in between', async () => {
    const run = createBatch(redis, scripts)
    await run('add', ['a'], [0])
    const before = await commands()
    const answers = await Promise.all(Array.from({ length: 250 }, () => run('add', ['a'], [1])))
    expect(answers).toEqual(Array.from({ length: 250 }, (_, i) => i + 1))
    expect(await commands()).toBe(before + 3)
  })

  test('fail each for itself', async () => {
    const run = createBatch(redis, scripts)
    await redis.lpush('list', 'one')
    const answers = await Promise.allSettled([
      run('add', ['a'], [1]),
      run('add', ['list'], [1]),
      run('add', ['a'], [1]),
    ])
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(answers[1]).toMatchObject({ reason: { message: expect.stringContaining('WRONGTYPE') } })
    expect(answers[2]).toMatchObject({ value: 2 })
  })

  test('all fail when Redis is away, and work when it is back without its scripts', async () => {
    const run = createBatch(redis, scripts)
    await run('add', ['a'], [1])
    await server.stop()
    const answers = await Promise.allSettled([run('add', ['a'], [1]), run('add', ['a'], [1])])
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await server.start()
    await expect.poll(() => redis.status).toBe('ready')
    expect(await Promise.all([run('add', ['a'], [1]), run('add', ['a'], [1])])).toEqual([1, 2])
  })
})
