/** Which of the two `npm start` runs: the bundle or the sources. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { temporaryFolder } from '../support/stores.ts'

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
const node = (...args: string[]) =>
  execFileSync(process.execPath, args, { cwd: folder.path, encoding: 'utf8' }).trim()
const ran = () => node(join(folder.path, 'adapters/node/start.mjs'))
/** Says of the bundle that it is one of these sources. */
function build() {
  const { href } = new URL(`file://${folder.path}/adapters/shared/bundle.mjs`)
  const hash = node('-p', `import('${href}').then((m) => process.stdout.write(m.sourcesHash())), ''`)
  write('dist/node/sources.sha256', hash)
}

test('the bundle runs while it is one of these very sources, whatever their times', () => {
  for (const path of ['adapters/node/start.mjs', 'adapters/shared/bundle.mjs'])
    cpSync(path, join(folder.path, path))
  for (const path of SOURCES) write(path, '')
  write('adapters/node/index.ts', `console.log('sources')`)
  expect(ran()).toBe('sources')
  write('dist/node/node.mjs', `console.log('bundle')`)
  build()
  expect(ran()).toBe('bundle')
  write('config/config.yaml', 'log: {}')
  expect(ran()).toBe('bundle')
  for (const path of SOURCES.slice(1)) {
    write(path, 'changed')
    expect(ran()).toBe('sources')
    write(path, '')
  }
  rmSync(join(folder.path, 'core/a.ts'))
  expect(ran()).toBe('sources')
})

test('an older version that is unpacked over a newer one is seen, whatever times it brings', () => {
  for (const path of ['adapters/node/start.mjs', 'adapters/shared/bundle.mjs'])
    cpSync(path, join(folder.path, path))
  for (const path of SOURCES) write(path, 'new')
  write('adapters/node/index.ts', `console.log('sources')`)
  write('dist/node/node.mjs', `console.log('bundle')`)
  build()
  expect([ran(), ran()]).toEqual(['bundle', 'bundle'])
  const file = join(folder.path, 'core/a.ts')
  const { atime, mtime } = statSync(file)
  writeFileSync(file, 'old')
  utimesSync(file, atime, mtime)
  expect(ran()).toBe('sources')
  writeFileSync(file, 'new')
  utimesSync(file, atime, mtime)
  expect([ran(), ran()]).toEqual(['bundle', 'bundle'])
})
