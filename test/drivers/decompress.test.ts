/** Decompressing: what it costs those who wait, and what it does not allocate. */
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { decompress } from '../../adapters/drivers/decompress.ts'

const MEGABYTE = 1_000_000
const always = () => true

describe('decompressing', () => {
  test('a body asks before each piece, and gives up at the first that is not taken', async () => {
    const asked: number[] = []
    const take = (bytes: number) => asked.push(bytes) < 3
    expect(await decompress('gzip', gzipSync(Buffer.alloc(20 * MEGABYTE)), take)).toBeUndefined()
    expect(asked).toHaveLength(3)
    expect(Math.max(...asked)).toBeLessThan(MEGABYTE / 10)
  })

  test('others are served meanwhile', async () => {
    let turns = 0
    let over = false
    const turn = () => {
      turns += 1
      if (!over) setImmediate(turn)
    }
    setImmediate(turn)
    const whole = await decompress('zstd', zstdCompressSync(Buffer.alloc(30 * MEGABYTE)), always)
    over = true
    expect(whole?.byteLength).toBe(30 * MEGABYTE)
    expect(turns).toBeGreaterThan(10)
  })

  test('a zstd frame with a larger window than HTTP allows is refused before its window is allocated', async () => {
    const params = { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 }
    const body = zstdCompressSync(Buffer.alloc(130 * MEGABYTE), { params })
    await expect(decompress('zstd', body, always)).rejects.toThrow('Frame requires too much memory')
  })

  test('all frames of a zstd body are read', async () => {
    const frames = (many: number) =>
      Buffer.concat(Array.from({ length: many }, (_, i) => zstdCompressSync(`${i} `)))
    const text = async (body: Uint8Array) => new TextDecoder().decode(await decompress('zstd', body, always))
    expect(await text(frames(3))).toBe('0 1 2 ')
    await expect(text(Buffer.concat([frames(2), Buffer.from('no frame')]))).rejects.toThrow()
    await expect(text(frames(1_500))).rejects.toThrow('more than 1000 frames')
  })
})
