/** Which columns of a list a person does not want to see, in this browser. */
const placeOf = (path: string) => `columns:${path}`

/** Numbers of columns; the first is always there. */
export function hiddenColumns(path: string): number[] {
  const stored = localStorage.getItem(placeOf(path)) ?? ''
  return stored
    .split(',')
    .map(Number)
    .filter((at) => Number.isInteger(at) && at > 0)
}

export function keepHidden(path: string, hidden: Iterable<number>) {
  localStorage.setItem(placeOf(path), [...hidden].join())
}
