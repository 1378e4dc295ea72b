/** Which of the two `npm start` runs: the bundle or the sources. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { temporaryFolder } from '../support/stores.ts'

const BUNDLE = 'dist/node/node.mjs'
const SOURCES = [
  'adapters/node/index.ts',
  'core/a.ts',
  'functions/b.ts',
  'config/c.json',
  'package-lock.json',
]

const folder = temporaryFolder()
afterEach(folder.remove)

const write = (path: string, text: string) => {
  mkdirSync(dirname(join(folder.path, path)), { recursive: true })
  writeFileSync(join(folder.path, path), text)
}
const changed = (path: string, second: number) => utimesSync(join(folder.path, path), second, second)

test('the bundle runs while it is newer than every source', () => {
  for (const path of ['adapters/node/start.mjs', 'adapters/shared/bundle.mjs']) {
    cpSync(path, join(folder.path, path))
    changed(path, 100)
  }
  for (const path of SOURCES) {
    write(path, '')
    changed(path, 100)
  }
  write(SOURCES[0] ?? '', `console.log('sources')`)
  changed(SOURCES[0] ?? '', 100)
  const ran = () =>
    execFileSync(process.execPath, [join(folder.path, 'adapters/node/start.mjs')], {
      encoding: 'utf8',
    }).trim()
  expect(ran()).toBe('sources')
  write(BUNDLE, `console.log('bundle')`)
  changed(BUNDLE, 200)
  expect(ran()).toBe('bundle')
  for (const path of SOURCES) {
    changed(path, 300)
    expect(ran()).toBe('sources')
    changed(path, 100)
  }
  expect(ran()).toBe('bundle')
})
