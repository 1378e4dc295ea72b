/** Which model a call really means, and whether its caller may use it. */
import { matches } from '../glob.ts'
import type { Access, Settings } from '../settings.ts'
import { comparableName } from './name.ts'

/** The model that is sent for the one that was named: the first replacement that matches, in file order. */
export function replacementFor(settings: Settings, named: string): string {
  const name = comparableName(named)
  for (const [pattern, model] of settings.modelReplacements) {
    if (pattern === name || (pattern.includes('*') && matches(pattern, name))) return model
  }
  return named
}

/**
 * How a model may be used: the first rule that matches decides, else the default. Rules see the name as given and its
 * canonical form, so that a date, a prefix or another case does not lead around them.
 */
export function accessOf(settings: Settings, model: string, canonical: string): Access {
  const name = comparableName(model)
  for (const { match, access } of settings.models.rules) {
    if (matches(match, name) || matches(match, canonical)) return access
  }
  return settings.models.defaultAccess
}

/** Whether a user with these grants (canonical names) may use the model now. */
export function isAllowed(
  access: Access,
  grants: ReadonlySet<string>,
  model: string,
  canonical: string,
): boolean {
  if (access === 'open') return true
  return access === 'approval' && (grants.has(canonical) || grants.has(model))
}

/** Whether everybody may use every model: only then may a name be left to the upstream. */
export function isOpenToAll({ models }: Settings): boolean {
  return models.defaultAccess === 'open' && models.rules.every(({ access }) => access === 'open')
}
