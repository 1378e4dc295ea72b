/** What of `wanted` is another than when the form was opened: what somebody else changed meanwhile stays as they set it. */
export function changesOf<W extends object>(before: object, wanted: W): Partial<W> {
  const was: Readonly<Record<string, unknown>> = { ...before }
  const changed = Object.entries(wanted).filter(
    ([name, value]) => JSON.stringify(was[name]) !== JSON.stringify(value),
  )
  return Object.fromEntries(changed) as Partial<W> // these are of its own
}
