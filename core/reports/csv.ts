/** CSV as RFC 4180 has it. Text that a spreadsheet would run as a formula gets an apostrophe in front. */
export type Cell = string | number | boolean | null

/**
 * What spreadsheets take for the beginning of a formula: the signs, full-width and small too, behind whatever is not seen;
 * and characters at the beginning that they skip.
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

/**
 * A table as a stream: the names of the columns, then slice by slice, each made only when the one before was taken. An
 * error ends the stream with it, so that a half table never looks like a whole one. `over` hears of its end, whichever.
 */
export function csvStream(
  columns: readonly string[],
  slices: AsyncGenerator<readonly (readonly Cell[])[]>,
  over: () => void = () => {},
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(csvLine(columns))),
    async pull(controller) {
      const { done, value } = await slices.next().catch((cause) => {
        over()
        throw cause
      })
      if (!done) return controller.enqueue(encoder.encode(value.map(csvLine).join('')))
      over()
      controller.close()
    },
    async cancel() {
      over()
      await slices.return(undefined)
    },
  })
}
