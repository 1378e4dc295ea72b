import { globSync, readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { describe, expect, test } from 'vitest'

/** What each folder may import besides its own files. */
const MAY_IMPORT: Record<string, RegExp> = {
  core: /^(@smithy\/eventstream-codec|drizzle-orm(\/.*)?|ipaddr\.js|jose|zod)$/,
  functions: /^(\.\.\/core\/.*|hono(\/.*)?|ipaddr\.js|zod|drizzle-orm)$/,
  config: /^(\.\.\/core\/(calendar|settings|units)\.ts|zod|yaml)$/,
}
const TOOLS = /core\/db\/drizzle\.config\.ts$/
const CEILING = 250
const MIGRATIONS = /\.gen\.ts$/

const sources = (folder: string) =>
  globSync(`${folder}/**/*.ts`)
    .filter((file) => !TOOLS.test(file) && !MIGRATIONS.test(file))
    .map((file) => ({ file, text: readFileSync(file, 'utf8') }))

const importsOf = (text: string) =>
  [...text.matchAll(/(?:from|import) '([^']+)'/g)].map(([, name]) => name ?? '')

/** Where a relative import of `file` leads, as seen from the repository. */
const leadsTo = (file: string, name: string) =>
  name.startsWith('.') ? new URL(name, `file:///${file}`).pathname.slice(1) : name

describe('the layout', () => {
  test.each(Object.entries(MAY_IMPORT))('%s imports only what it may', (folder, allowed) => {
    const strays = sources(folder).flatMap(({ file, text }) =>
      importsOf(text)
        .filter((name) => !leadsTo(file, name).startsWith(`${folder}/`))
        .filter((name) => !allowed.test(name.replace(/^(\.\.\/)+/, '../')))
        .map((name) => `${file}: ${name}`),
    )
    expect(strays).toEqual([])
  })

  test.each(globSync('core/*/README.md'))('%s says what its folder imports, and nothing else', (readme) => {
    const folder = dirname(readme)
    const found = sources(folder).flatMap(({ file, text }) =>
      importsOf(text).map((name) => leadsTo(file, name)),
    )
    const imported = found.flatMap((name) => {
      if (!name.startsWith('core/')) return /^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? []
      // Files of core itself are for all of it.
      const [, inCore, ...rest] = name.split('/')
      return inCore !== undefined && rest.length > 0 && inCore !== basename(folder) ? inCore : []
    })
    const said = /\*\*May import:\*\* (?:nothing outside this folder|([\s\S]*?))\.\s/.exec(
      readFileSync(readme, 'utf8'),
    )
    const names = (said?.[1] ?? '').split(/,?\s*(?:and )?of core:\s*|,\s+/).filter((name) => name !== '')
    expect(names.toSorted()).toEqual([...new Set(imported)].toSorted())
    expect(said).not.toBeNull()
  })

  test('core and functions use no Node, no environment and no clock or chance of their own', () => {
    const strays = [...sources('core'), ...sources('functions')].flatMap(({ file, text }) =>
      [...text.matchAll(/\bnode:|(?<!')\bprocess\.\w|\bMath\.random\b|\beval\(|\bconsole\.|\bDate\.now\b/g)]
        .filter(() => file !== 'core/clock.ts')
        .map(([found]) => `${file}: ${found}`),
    )
    expect(strays).toEqual([])
  })

  test('there are no default exports but where a runtime or tool demands one, and no barrels', () => {
    const strays = ['core', 'functions', 'config', 'adapters'].flatMap(sources).flatMap(({ file, text }) => {
      const found = /^export \* from|^export default/m.exec(text)
      return found && file !== 'adapters/workers/index.ts' ? [`${file}: ${found[0]}`] : []
    })
    expect(strays).toEqual([])
  })

  test('the site takes only types from the gateway, and puts no text into a page as HTML', () => {
    const files = globSync('site/src/**/*.{ts,svelte}').map((file) => ({
      file,
      text: readFileSync(file, 'utf8'),
    }))
    const strays = files.flatMap(({ file, text }) => {
      const imports = [
        ...text.matchAll(
          /^\s*import (?!type\b)[^;]*?from '([^']*(?:core|functions|adapters|config)\/[^']*)'/gm,
        ),
      ]
      const html = /\{@html|innerHTML|javascript:|\bstyle="/.exec(text)?.[0]
      return [...imports.map(([, name]) => `${file}: ${name}`), ...(html ? [`${file}: ${html}`] : [])]
    })
    expect(strays).toEqual([])
  })

  test('no source file is longer than a person reads in one go', () => {
    const long = ['core', 'functions', 'config', 'adapters']
      .flatMap(sources)
      .filter(({ text }) => text.split('\n').length > CEILING)
      .map(({ file }) => file)
    expect(long).toEqual([])
  })
})
