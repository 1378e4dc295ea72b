/** What becomes of a parameter of OpenAI's interfaces: one row of the reference, which the translation goes by. */

export type Fate = 'carried' | 'warned' | 'refused'

export interface Parameter {
  /**
   * `messages[].name` for a member of each element; `tools[mcp]` for elements of that type, `tools[function].strict` for a
   * member of theirs. What is below a row without rows of its own shares its fate.
   */
  path: string
  fate: Fate
  /** Why it is not carried out, or how it is; '' where that is plain. */
  about: string
  /** Values that ask for nothing, so that they are neither warned of nor refused. */
  idle: readonly unknown[]
}

export const carried = (...paths: string[]): Parameter[] =>
  paths.map((path) => ({ path, fate: 'carried', about: '', idle: [] }))
/** One that is carried out in its own way, which `about` says. */
export const carriedAs = (path: string, about: string): Parameter => ({
  path,
  fate: 'carried',
  about,
  idle: [],
})
export const warned = (path: string, about: string, ...idle: unknown[]): Parameter => ({
  path,
  fate: 'warned',
  about,
  idle,
})
export const refused = (path: string, about: string, ...idle: unknown[]): Parameter => ({
  path,
  fate: 'refused',
  about,
  idle,
})
/** Rows below another path. */
export const under = (path: string, rows: readonly Parameter[]): Parameter[] =>
  rows.map((row) => ({ ...row, path: `${path}.${row.path}` }))
