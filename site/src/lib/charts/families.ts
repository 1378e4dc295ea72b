/** The colour of a model: one hue per family that never changes, lighter for each further model of it in one picture. */
const FAMILIES = ['opus', 'sonnet', 'fable', 'haiku', 'mythos'] as const

/** How much of the hue the models of one family keep, the first in full. */
const SHADES = [100, 68, 46, 30]

function familyOf(model: string): (typeof FAMILIES)[number] | 'other' {
  return FAMILIES.find((family) => model.includes(family)) ?? 'other'
}

/** The CSS colour of a model's family. */
export function hueOf(model: string): string {
  return `var(--family-${familyOf(model)})`
}

/** A CSS colour for each of these models; '' stands for all the rest. The order decides only within a family. */
export function coloursOf(models: readonly string[]): string[] {
  const seen = new Map<string, number>()
  return models.map((model) => {
    if (model === '') return 'var(--family-rest)'
    const family = familyOf(model)
    const nth = seen.get(family) ?? 0
    seen.set(family, nth + 1)
    const share = SHADES[Math.min(nth, SHADES.length - 1)] ?? 100
    const hue = hueOf(model)
    return share === 100 ? hue : `color-mix(in oklab, ${hue} ${share}%, var(--panel))`
  })
}
