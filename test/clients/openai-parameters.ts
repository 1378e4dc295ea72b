/**
 * The parameters of OpenAI's two interfaces, read from the types of its SDK, as the rows of the reference name them.
 * `node test/clients/openai-parameters.ts` writes them down for the tests of every day, which have no SDK.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const FOLDER = join(import.meta.dirname, '../../.tools/clients/node_modules/openai/resources')
export const WRITTEN = join(import.meta.dirname, '../support/openai-parameters.json')
const DEEPEST = 8
/** Lists whose elements the reference tells apart by type. */
const TOLD_APART = /^(input|tools|input\[.*\]\.tools|tools\[namespace\]\.tools)$/

export interface Parameters {
  chat: string[]
  responses: string[]
}

/** `folder`: `resources` of the installed package. */
export function openAiParameters(folder = FOLDER): Parameters {
  const chat = join(folder, 'chat/completions/completions.d.ts')
  const responses = join(folder, 'responses/responses.d.ts')
  const program = ts.createProgram([chat, responses], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  })
  const checker = program.getTypeChecker()
  return {
    chat: pathsOf(checker, named(program, chat, 'ChatCompletionCreateParamsBase'), false),
    responses: pathsOf(checker, named(program, responses, 'ResponseCreateParamsBase'), true),
  }
}

function named(program: ts.Program, file: string, name: string): ts.Type {
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(file)
  const module = source && checker.getSymbolAtLocation(source)
  const symbol = module && checker.getExportsOfModule(module).find((one) => one.name === name)
  if (!symbol) throw new Error(`${file} has no ${name}`)
  return checker.getDeclaredTypeOfSymbol(symbol)
}

function pathsOf(checker: ts.TypeChecker, type: ts.Type, toldApart: boolean): string[] {
  const paths = new Set<string>()
  const membersOf = (one: ts.Type) => (one.isUnion() ? one.types : [one])
  const elementOf = (one: ts.Type) =>
    checker.isArrayType(one) ? checker.getTypeArguments(one as ts.TypeReference)[0] : undefined // just checked
  const kindsOf = (one: ts.Type): string[] => {
    const symbol = checker.getPropertyOfType(one, 'type')
    const kinds = symbol ? membersOf(checker.getTypeOfSymbol(symbol)) : []
    return kinds.flatMap((kind) => (kind.isStringLiteral() ? [kind.value] : []))
  }
  const walk = (given: ts.Type, path: string, depth: number) => {
    if (depth > DEEPEST) return
    for (const one of membersOf(given)) {
      const element = elementOf(one)
      if (element) walkElements(element, path, depth + 1)
      else if (one.flags & ts.TypeFlags.Object) walkObject(one, path, depth)
    }
  }
  const walkElements = (element: ts.Type, path: string, depth: number) => {
    if (!(toldApart && TOLD_APART.test(path))) return walk(element, `${path}[]`, depth)
    for (const one of membersOf(element)) {
      for (const kind of kindsOf(one)) {
        paths.add(`${path}[${kind}]`)
        walk(one, `${path}[${kind}]`, depth)
      }
    }
  }
  const walkObject = (one: ts.Type, path: string, depth: number) => {
    for (const member of checker.getPropertiesOfType(one)) {
      const below = path === '' ? member.name : `${path}.${member.name}`
      paths.add(below)
      walk(checker.getTypeOfSymbol(member), below, depth + 1)
    }
  }
  walk(type, '', 0)
  return [...paths].toSorted()
}

if (import.meta.main) {
  const [, , folder] = process.argv
  writeFileSync(WRITTEN, `${JSON.stringify(openAiParameters(folder), null, 2)}\n`)
}
