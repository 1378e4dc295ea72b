/** What was chosen last in a picker, in this browser. */
export interface Option {
  value: string
  label: string
  detail?: string
}
const MOST = 5
const placeOf = (kind: string) => `recent:${kind}`

function isOption(one: unknown): one is Option {
  return typeof one === 'object' && one !== null && 'value' in one && 'label' in one
}

export function recent(kind: string): Option[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(placeOf(kind)) ?? '[]')
    return Array.isArray(stored) ? stored.filter(isOption) : []
  } catch {
    return []
  }
}

/** Names of people and keys are no business of who uses the browser next. */
export function forgetRecent() {
  for (const place of Object.keys(localStorage)) {
    if (place.startsWith(placeOf(''))) localStorage.removeItem(place)
  }
}

export function remember(kind: string, option: Option) {
  const others = recent(kind).filter(({ value }) => value !== option.value)
  localStorage.setItem(placeOf(kind), JSON.stringify([option, ...others].slice(0, MOST)))
}
