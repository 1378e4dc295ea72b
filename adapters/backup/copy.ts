import { open } from 'node:fs/promises'

const CHUNK_BYTES = 4 * 1024 * 1024

/** Told how much of a file is copied. */
export type Copied = (bytes: number, total: number) => void

/** Copies a file that only its owner may read. */
export async function copyFile(from: string, to: string, copied: Copied): Promise<void> {
  await using source = await open(from, 'r')
  await using target = await open(to, 'w', 0o600)
  const { size } = await source.stat()
  const chunk = Buffer.alloc(CHUNK_BYTES)
  for (let at = 0; ; ) {
    const { bytesRead } = await source.read(chunk, 0, CHUNK_BYTES, at)
    if (bytesRead === 0) return
    await target.write(chunk, 0, bytesRead)
    at += bytesRead
    copied(at, size)
  }
}
