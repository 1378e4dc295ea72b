/** Which model of the price list a name means, however it is spelled. */
import { comparableName, plainSpelling } from '../models/name.ts'

/** A canonical name, and whether the given one asked for the fast speed. */
export type Spelling = ReturnType<typeof plainSpelling>

/** The names of a model in the price list. */
interface Named {
  id: string
  aliases?: readonly string[] | undefined
}

const REMEMBERED_NAMES = 1_000
/** In characters. Longer names are no model's and are not remembered. */
const LONGEST_NAME = 256

/** `priced`: names to which the operator gives prices. A mark in such a name ([1m], -fast) is a part of it. */
export function createSpellings(
  list: { models: readonly Named[] },
  priced: readonly string[],
): (model: string) => Spelling {
  const ids = idsOf(list.models)
  const markedNames = new Set(priced.map(bareName).filter(hasMark))
  const spellings = new Map<string, Spelling>()

  return (model) => {
    const known = spellings.get(model)
    if (known !== undefined) return known
    const bare = bareName(model)
    const plain = markedNames.has(bare) ? { name: bare, fast: false } : plainSpelling(bare)
    const name = bareName(plain.name)
    const spelling = { name: ids.get(name) ?? ids.get(undated(name)) ?? undated(name), fast: plain.fast }
    if (spellings.size >= REMEMBERED_NAMES) spellings.clear()
    if (model.length <= LONGEST_NAME) spellings.set(model, spelling)
    return spelling
  }
}

/** Map of every listed id and alias, with and without its date, to the model's id. */
function idsOf(models: readonly Named[]): Map<string, string> {
  const ids = new Map<string, string>()
  for (const { id, aliases = [] } of models) for (const alias of aliases) ids.set(undated(alias), id)
  for (const { id, aliases = [] } of models) for (const name of [id, ...aliases]) ids.set(name, id)
  return ids
}

/** A comparable name in lower case, without a provider's prefix, the affixes of Bedrock and Vertex, or "-latest". */
function bareName(model: string): string {
  return comparableName(model)
    .toLowerCase()
    .replace(/^.*\//s, '')
    .replace(/^(?:[a-z-]+\.)?anthropic\./, '')
    .replace(/-v\d+(?::\w+)*$/, '')
    .replace(/@.*$/s, '')
    .replace(/-latest$/, '')
}

/** A dot is only another spelling, for which the same price holds. */
function hasMark(name: string): boolean {
  return plainSpelling(name).fast || name.endsWith(']')
}

function undated(name: string): string {
  return name.replace(/-20\d{6}$/, '')
}
