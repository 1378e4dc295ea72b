/** Prints what commands answer: for people as tables and sentences, for programs as JSON or CSV. */
import { csvLine } from '../../core/reports/csv.ts'

export type Row = Readonly<Record<string, string | number | boolean | null | readonly string[]>>

/** What a command prints. */
export type Result =
  /** A list; `none` is said when it is empty. `wide`: columns that only programs are given. `note` goes to standard error. */
  | {
      rows: readonly Row[]
      columns: readonly string[]
      none: string
      wide?: readonly string[]
      note?: string
    }
  /** `said` is for people, `fields` for programs; as CSV they are one line. `note` is for people, too. */
  | { said: string; fields: Readonly<Record<string, unknown>>; note?: string }

export type Format = 'text' | 'json' | 'csv'

export function printed(result: Result, format: Format): { out: string; note?: string | undefined } {
  if ('rows' in result) return { out: listed(result, format), note: result.note }
  if (format === 'csv') return { out: csvOf(Object.keys(result.fields), [rowOf(result.fields)]) }
  if (format === 'json') return { out: JSON.stringify(result.fields, null, 2) }
  return { out: result.said, note: result.note }
}

function listed(
  { rows, columns, none, wide = [] }: Extract<Result, { rows: unknown }>,
  format: Format,
): string {
  if (format === 'json') return JSON.stringify(rows, null, 2)
  if (format === 'csv') return csvOf(columns, rows)
  return rows.length === 0
    ? none
    : table(
        rows,
        columns.filter((name) => !wide.includes(name)),
      )
}

/** With a line of names also where there is nothing, because programs look columns up by it. */
function csvOf(names: readonly string[], rows: readonly Row[]): string {
  const cells = rows.map((row) => names.map((name) => cell(row[name] ?? null)))
  return [names, ...cells].map(csvLine).join('').trimEnd()
}

/** What is no single value is told as JSON. */
function rowOf(fields: Readonly<Record<string, unknown>>): Row {
  const cells = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === 'string' || typeof value === 'number' || value === null ? value : JSON.stringify(value),
  ])
  return Object.fromEntries(cells)
}

function cell(value: Row[string]): string | number {
  if (value === null) return ''
  return typeof value === 'number' ? value : String(value)
}

/** Columns as wide as their widest text; numbers stand to the right. */
function table(rows: readonly Row[], names: readonly string[]): string {
  const columns = names.map((name) => {
    const cells = rows.map((row) => String(cell(row[name] ?? null)))
    const isNumber = rows.every((row) => typeof row[name] === 'number')
    const width = Math.max(name.length, ...cells.map(widthOf))
    const pad = (text: string) => {
      const space = ' '.repeat(width - widthOf(text))
      return isNumber ? space + text : text + space
    }
    return [pad(name), '-'.repeat(width), ...cells.map(pad)]
  })
  const lines = Array.from({ length: rows.length + 2 }, (_, at) =>
    columns
      .map((column) => column[at])
      .join('  ')
      .trimEnd(),
  )
  return lines.join('\n')
}

/** Places that a text takes on a terminal: characters of East Asian scripts take two. */
function widthOf(text: string): number {
  let width = 0
  for (const character of text)
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(
        character,
      )
        ? 2
        : 1
  return width
}
