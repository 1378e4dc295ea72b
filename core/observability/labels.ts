/** The values that a label may have. They are numbered, so that counting needs no text. */

/** Below this, so that four numbers fit into one exact integer. */
const MOST_VALUES = 2 ** 12
/** Stands for all values that a label has no room for. */
const OTHER = 'other'

export interface Label {
  /** The number of a value; that of `other` where there is no room for it. */
  id(value: string): number
  value(id: number): string
}

/** A label that has these values and, for any other, `other`. */
export function closedLabel(values: readonly string[]): Label {
  return label(values, values.length + 1)
}

/** A label that takes `most` values, the first that come, and `other` for all later ones. */
export function boundedLabel(most: number): Label {
  return label([], most)
}

function label(known: readonly string[], most: number): Label {
  const values = [OTHER, ...known.filter((value) => value !== OTHER)]
  const ids = new Map(values.map((value, id) => [value, id]))
  const room = Math.min(most, MOST_VALUES)
  return {
    id(value) {
      const found = ids.get(value)
      if (found !== undefined) return found
      if (values.length >= room) return 0
      ids.set(value, values.length)
      return values.push(value) - 1
    },
    value: (id) => values[id] ?? OTHER,
  }
}

/** One integer for up to four numbers of values. */
export function packed(a: number, b: number, c: number, d: number): number {
  return ((a * MOST_VALUES + b) * MOST_VALUES + c) * MOST_VALUES + d
}
