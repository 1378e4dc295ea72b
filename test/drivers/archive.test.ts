import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { fileArchive } from '../../adapters/backup/archive.ts'
import { temporaryFolder } from '../support/stores.ts'

test('an archive is compressed lines for its owner only, and the same name has the last content', async () => {
  const folder = temporaryFolder()
  const place = join(folder.path, 'archive')
  const archive = fileArchive(place)
  await Promise.all([archive.write('usage-1', ['{"a":1}']), archive.write('usage-1', ['{"a":1}'])])
  await archive.write('usage-1', ['{"a":1}', '{"b":"é"}'])
  expect(readdirSync(place)).toEqual(['usage-1.jsonl.gz'])
  const file = join(place, 'usage-1.jsonl.gz')
  expect(gunzipSync(readFileSync(file)).toString()).toBe('{"a":1}\n{"b":"é"}\n')
  expect([statSync(file).mode & 0o077, statSync(place).mode & 0o077]).toEqual([0, 0])
  folder.remove()
})
