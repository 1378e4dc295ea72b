/** What keeps the sources readable, short functions and files and no circle of imports, and what keeps calls cheap. */
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

const FUNCTION_LINES = 60
const TEST_LINES = 400

const CLOSURE = 'short functions over the state that they share'
const SCANNER = 'one loop over bytes, where each call of a function costs'

/** Functions that are longer, with the lines they have at most and why. This list may only shrink. */
const LONG_FUNCTIONS: Readonly<Record<string, [most: number, reason: string]>> = {
  'core/sse/reader.ts createEventReader': [134, SCANNER],
  'core/json/scan.ts createScan': [144, SCANNER],
  'core/json/walk.ts walkingObjects': [80, SCANNER],
  'core/metering/characters.ts createCharacterCounter': [109, SCANNER],
  'core/metering/anthropic-stream.ts createStreamMeter': [76, CLOSURE],
  'core/openai/reply/chat-reply.ts createChatStream': [68, CLOSURE],
  'core/models/catalogue.ts createCatalogue': [107, CLOSURE],
  'core/limits/counters.ts createLimitCounters': [103, CLOSURE],
  'core/calls/relay.ts flow': [98, 'the hot path: one loop from the upstream to the client'],
  'core/backends/balancer.ts createBalancer': [155, CLOSURE],
  'core/backends/choosing.ts createChooser': [74, CLOSURE],
  'core/backends/confirm.ts createConfirm': [125, CLOSURE],
  'core/backends/health-book.ts createHealthBook': [108, CLOSURE],
  'core/backends/learning.ts createLearning': [146, CLOSURE],
  'adapters/drivers/upstream/undici.ts receiver': [133, CLOSURE],
  'adapters/drivers/ledger/journal.ts openJournal': [95, CLOSURE],
  'adapters/drivers/ledger/journalled.ts journalledRecords': [100, CLOSURE],
}

/** Tests that are longer, with the lines they have at most. This list may only shrink. */
const LONG_TESTS: Readonly<Record<string, number>> = {
  'test/api/openai.test.ts': 415,
}
/** Tables, not programs. */
const TABLES = /^test\/cases\//

const sources = ['core', 'functions', 'adapters', 'config']
  .flatMap((folder) => globSync(`${folder}/**/*.ts`))
  .filter((file) => !file.endsWith('.gen.ts'))
  .map((file) => ({ file, text: readFileSync(file, 'utf8') }))

/** Every function of a file, by the name that it or the constant holding it has, with its lines. */
function functionsIn(file: string, text: string): { name: string; lines: number }[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line
  const found: { name: string; lines: number }[] = []
  const visit = (node: ts.Node) => {
    if (ts.isFunctionLike(node)) {
      const { parent } = node
      const holder = ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) ? parent : node
      const named = node.name ?? holder.name
      const lines = lineAt(node.end) - lineAt(node.getStart()) + 1
      found.push({ name: `${file} ${named?.getText() ?? `line ${lineAt(node.getStart()) + 1}`}`, lines })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** Accessors in object literals of functions, by the function's file and the accessor's name. */
function ownAccessorsIn(file: string, text: string): string[] {
  const found: string[] = []
  const visit = (node: ts.Node, inFunction: boolean) => {
    if (ts.isAccessor(node) && inFunction && ts.isObjectLiteralExpression(node.parent)) {
      found.push(`${file} ${node.name.getText()}`)
    }
    ts.forEachChild(node, (child) => visit(child, inFunction || ts.isFunctionLike(node)))
  }
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true), false)
  return found
}

/** Lists and objects that are written out only to be spread, by the file and their beginning. */
function spreadLiteralsIn(file: string, text: string): string[] {
  const found: string[] = []
  const visit = (node: ts.Node) => {
    if (ts.isSpreadElement(node) || ts.isSpreadAssignment(node)) {
      let { expression } = node
      while (ts.isParenthesizedExpression(expression) || ts.isAsExpression(expression)) {
        expression = expression.expression
      }
      if (ts.isObjectLiteralExpression(expression) || ts.isArrayLiteralExpression(expression)) {
        found.push(`${file} ${node.getText().slice(0, 40)}`)
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true))
  return found
}

/** Files of which each is reached from the others by imports, types included. */
function circles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const reached = (from: string) => {
    const seen = new Set<string>()
    const queue = [...(imports.get(from) ?? [])]
    for (const file of queue) {
      if (seen.has(file)) continue
      seen.add(file)
      queue.push(...(imports.get(file) ?? []))
    }
    return seen
  }
  const all = new Map([...imports.keys()].map((file) => [file, reached(file)]))
  const circular = [...all].filter(([file, from]) => from.has(file)).map(([file]) => file)
  const inOne = (a: string, b: string) => all.get(a)?.has(b) && all.get(b)?.has(a)
  return circular
    .filter((file, i) => !circular.slice(0, i).some((earlier) => inOne(earlier, file)))
    .map((file) => circular.filter((other) => inOne(file, other)))
}

describe('a reader is spared', () => {
  test('functions longer than a page', () => {
    const long = sources
      .flatMap(({ file, text }) => functionsIn(file, text))
      .filter(({ lines }) => lines > FUNCTION_LINES)
    expect(long.filter(({ name, lines }) => lines > (LONG_FUNCTIONS[name]?.[0] ?? 0))).toEqual([])
    const names = new Set(long.map(({ name }) => name))
    expect(Object.keys(LONG_FUNCTIONS).filter((name) => !names.has(name))).toEqual([])
  })

  test('tests of more than a few pages', () => {
    const long = globSync('test/**/*.ts')
      .filter((file) => !TABLES.test(file))
      .map((file) => ({ file, lines: readFileSync(file, 'utf8').trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > TEST_LINES)
    expect(long.filter(({ file, lines }) => lines > (LONG_TESTS[file] ?? 0))).toEqual([])
    const names = new Set(long.map(({ file }) => file))
    expect(Object.keys(LONG_TESTS).filter((file) => !names.has(file))).toEqual([])
  })

  test('tables that are objects, because every object knows "constructor", and a Map only what is in it', () => {
    const table = /^(?:export )?const [A-Z_]+: (?:Readonly<)?Record<string, .*/gm
    const asked = sources.filter(({ file }) => !file.startsWith('config/'))
    expect(
      asked.flatMap(({ file, text }) => (text.match(table) ?? []).map((line) => `${file} ${line}`)),
    ).toEqual([])
  })

  test('lists and objects that are spread where they are written, whose members could stand there themselves', () => {
    expect(spreadLiteralsIn('a.ts', 'f({ ...{ a, b }, ...c }, ...([1] as const), ...[d].map(e))')).toEqual([
      'a.ts ...{ a, b }',
      'a.ts ...([1] as const)',
    ])
    expect(sources.flatMap(({ file, text }) => spreadLiteralsIn(file, text))).toEqual([])
  })

  test('imports that lead back to where they began, those of types included', () => {
    const imports = sources.map(({ file, text }): [string, string[]] => {
      const named = ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName)
      const relative = named.filter((name) => name.startsWith('.'))
      return [file, relative.map((name) => posix.join(posix.dirname(file), name))]
    })
    expect(
      circles(
        new Map([
          ['a', ['b']],
          ['b', ['c']],
          ['c', ['b']],
        ]),
      ),
    ).toEqual([['b', 'c']])
    expect(circles(new Map(imports))).toEqual([])
  })
})

describe('a call is spared', () => {
  // Each such object has a hidden class of its own, and V8 keeps that, with all that its accessors hold, until the next full
  // collection. Made for every call, they made collections take five times as long.
  test('objects with accessors of their own, except those that are made once', () => {
    const accessors = sources.flatMap(({ file, text }) => ownAccessorsIn(file, text))
    expect(accessors).toEqual(['adapters/compose.ts deps', 'adapters/compose.ts gateway'])
  })
})

describe('a bundle is spared', () => {
  // Node finds names in CommonJS (https://nodejs.org/api/esm.html#import-statements), and esbuild has its default alone.
  test('names of packages in CommonJS that are loaded later', () => {
    const loaded = sources.flatMap(({ file, text }) =>
      [...text.matchAll(/[^f] import\('([^.'][^']*)'\)(\)\.default|\.then\(\s*\(\{ default:)?/g)].map(
        ([, name = '', byDefault]) => ({ file, name, byDefault: byDefault !== undefined }),
      ),
    )
    // Asked of Node itself, because vitest imports in a way of its own.
    const script = `for (const name of ${JSON.stringify(loaded.map(({ name }) => name))})
      if ('module.exports' in (await import(name))) console.log(name)
      process.exit()`
    const asked = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    const ofCommonJs = loaded.filter(({ name }) => asked.split('\n').includes(name))
    expect(ofCommonJs.map(({ name }) => name).toSorted()).toEqual([
      '@aws-sdk/credential-providers',
      'google-auth-library',
      'socks',
    ])
    expect(ofCommonJs.filter(({ byDefault }) => !byDefault)).toEqual([])
  })
})
