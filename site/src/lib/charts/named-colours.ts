/** Colours of names that are no models: a name keeps its own, whatever else is in the picture, unless another one has it already. */
const COUNT = 8

/** A CSS colour for each of these names; '' stands for all the rest. */
export function namedColours(names: readonly string[]): string[] {
  const taken = new Set<number>()
  return names.map((name) => {
    if (name === '') return 'var(--family-rest)'
    let at = hashOf(name) % COUNT
    while (taken.has(at) && taken.size < COUNT) at = (at + 1) % COUNT
    taken.add(at)
    return `var(--name-${at})`
  })
}

/** FNV-1a, https://datatracker.ietf.org/doc/html/draft-eastlake-fnv */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
