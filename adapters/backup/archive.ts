/** Rows that the database no longer keeps, as compressed lines of JSON beside it: one file for each piece. */
import { mkdirSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Archive } from '../../core/ports.ts'

const compressed = promisify(gzip)

export function fileArchive(folder: string): Archive {
  return {
    async write(name, lines) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      const path = join(folder, `${name}.jsonl.gz`)
      // Other processes may write the same rows at the same moment.
      const part = `${path}.${crypto.randomUUID()}.part`
      const file = await open(part, 'w', 0o600)
      try {
        await file.writeFile(await compressed(`${lines.join('\n')}\n`))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(part, path)
    },
  }
}
