/**
 * CSV by RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180). Text that a spreadsheet would run as a formula gets an
 * apostrophe in front (https://owasp.org/www-community/attacks/CSV_Injection).
 */
import { streamOf } from '../pieces.ts'

export type Cell = string | number | boolean | null

/**
 * Starts of a formula: =, +, - or @, also full-width or small, after any invisible characters; and a leading tab or line
 * break, because spreadsheets skip it.
 */
const FORMULA = /^(?:[\s\p{C}]*[=+\-@＝＋－＠﹦﹢﹣﹫]|[\t\r\n])/u

export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(cellText).join(',')}\r\n`
}

function cellText(cell: Cell): string {
  if (typeof cell !== 'string') return cell === null ? '' : String(cell)
  const text = FORMULA.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** A table as a stream: column names, then one slice after another. `over` is called at the end in any case. */
export function csvStream(
  columns: readonly string[],
  slices: AsyncGenerator<readonly (readonly Cell[])[]>,
  over: () => void = () => {},
): ReadableStream<Uint8Array> {
  async function* lines() {
    yield csvLine(columns)
    for await (const slice of slices) yield slice.map(csvLine).join('')
  }
  return streamOf(lines(), over)
}
