/** One word for one thing, and no word for what is not there. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Each was a word for something that has another one now: core/README.md has the glossary. */
const RETIRED = [
  'anew',
  'barred',
  'booking',
  'dear',
  'dearest',
  'directory',
  'keeper',
  'lease',
  'metered',
  'offer',
  'parked',
  'say',
  'seal',
  'sealed',
  'tap',
  'unseal',
]
const SOURCES = globSync('{core,functions,adapters,config}/**/*.ts').filter(
  (file) => !file.endsWith('.gen.ts'),
)
const textOf = (file: string) => readFileSync(file, 'utf8')

/** isLikeThis, and like-this.ts, as is_like_this. */
const toSnakeCase = (name: string) =>
  name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1_$2')
    .replaceAll(/[^A-Za-z\d]+/g, '_')
    .toLowerCase()
const retiredIn = (name: string) =>
  toSnakeCase(name)
    .split('_')
    .filter((word) => RETIRED.includes(word))
const named = (pattern: RegExp) =>
  SOURCES.flatMap((file) => [...textOf(file).matchAll(pattern)].map(([, name = '']) => ({ file, name })))
const strays = (names: readonly { file: string; name: string }[]) =>
  names.filter(({ name }) => retiredIn(name).length > 0).map(({ file, name }) => `${file}: ${name}`)

describe('retired words are in', () => {
  test('no exported name', () => {
    expect(strays(named(/^export (?:async )?(?:function\*?|const|class|interface|type) (\w+)/gm))).toEqual([])
  })

  test('no name of a file or folder', () => {
    expect(strays(SOURCES.flatMap((file) => file.split('/').map((name) => ({ file, name }))))).toEqual([])
  })

  test('no event of the log', () => {
    expect(strays(named(/logger\.(?:debug|info|warn|error)\(\s*'([\w.]+)'/g))).toEqual([])
  })
})

describe('what a text refers to is there:', () => {
  const documents = globSync(
    ['*.md', '.github/**/*.md', '{core,functions,adapters,config,site,test}/**/*.md'],
    {
      exclude: (name) => name === 'node_modules',
    },
  )
  /** A path in the repository, from its top level or beside the text. */
  const PATH =
    /(?<![\w/@.:-])((?:\.{1,2}\/)*[\w.-]+(?:\/[\w.*{},-]+)*\.(?:ts|md|ya?ml|json|toml|sh|svelte|service))(?![\w/])/g
  const MADE = /^(\.\/)?(dist|data|site\/build|node_modules)\/|^config\/config\.yaml$|^\S+\.config\.\w+$/
  const missing = (file: string, text: string) =>
    [...text.matchAll(PATH)]
      .map(([, path = '']) => path)
      .filter((path) => path.includes('/') && !MADE.test(path) && !/[*{}]/.test(path))
      .filter((path) => !existsSync(path) && !existsSync(join(dirname(file), path)))
      .map((path) => `${file}: ${path}`)

  test.each(documents)('%s', (file) => {
    expect(missing(file, textOf(file).replaceAll(/https?:\/\/\S+/g, ''))).toEqual([])
  })

  test('comments of the sources', () => {
    const commentsOf = (text: string) => [...text.matchAll(/\/\*\*[\s\S]*?\*\/|^\s*\/\/.*$/gm)].join('\n')
    const found = SOURCES.flatMap((file) =>
      missing(file, commentsOf(textOf(file)).replaceAll(/https?:\/\/\S+/g, '')),
    )
    expect(found).toEqual([])
    expect(SOURCES.filter((file) => /§/.test(commentsOf(textOf(file)).replaceAll(/RFC \d+ §/g, '')))).toEqual(
      [],
    )
  })
})
