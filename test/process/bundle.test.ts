/** Which of the two `npm start` runs: the bundle or the sources. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
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

test('the bundle runs while it is one of these very sources, whatever their times', () => {
  for (const path of ['adapters/node/start.mjs', 'adapters/shared/bundle.mjs'])
    cpSync(path, join(folder.path, path))
  for (const path of SOURCES) write(path, '')
  write('adapters/node/index.ts', `console.log('sources')`)
  const ran = () => node(join(folder.path, 'adapters/node/start.mjs'))
  expect(ran()).toBe('sources')
  write('dist/node/node.mjs', `console.log('bundle')`)
  const { href } = new URL(`file://${folder.path}/adapters/shared/bundle.mjs`)
  write(
    'dist/node/sources.sha256',
    node('-p', `import('${href}').then((m) => process.stdout.write(m.sourcesHash())), ''`),
  )
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
