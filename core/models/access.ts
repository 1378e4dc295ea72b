/** Which model is sent for the one that a call names, and whether its caller may use it. */
import { matches } from '../glob.ts'
import type { Access, Settings } from '../settings.ts'
import { comparableName } from './name.ts'

/** The model to send for the named one: that of the first matching replacement in file order, else itself. */
export function replacementFor(settings: Settings, named: string): string {
  const name = comparableName(named)
  for (const [pattern, model] of settings.modelReplacements) {
    if (pattern === name || (pattern.includes('*') && matches(pattern, name))) return model
  }
  return named
}

/**
 * Access to a model by the first matching rule, else the default. Rules match the given and the canonical name, so that a
 * date, a prefix or upper case does not evade them.
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

/** Whether everybody may use every model. Only then may a call that names no readable model go to the upstream. */
export function isOpenToAll({ models }: Settings): boolean {
  return models.defaultAccess === 'open' && models.rules.every(({ access }) => access === 'open')
}
