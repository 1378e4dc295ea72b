/** Which model is sent for the one that a call names, and whether its caller may use it. */
import { matches } from '../glob.ts'
import { isAvailable } from '../policies/available-models.ts'
import type { Access, Settings } from '../settings.ts'
import { comparableName } from './name.ts'

/** Globs of models beside those of the configuration. */
export interface ModelRules {
  /** What the groups of a person open and close for them. */
  allow: readonly string[]
  deny: readonly string[]
  /** What the key is for; undefined = everything that its owner may use. */
  only: readonly string[] | undefined
  /** `availableModels` of the policy that a device obeys; undefined = no list. */
  available?: readonly string[] | undefined
}

/** The model to send for the named one: that of the first matching replacement in file order, else itself. */
export function replacementFor(settings: Settings, named: string): string {
  const name = comparableName(named)
  for (const [pattern, model] of settings.modelReplacements) {
    if (pattern === name || (pattern.includes('*') && matches(pattern, name))) return model
  }
  return named
}

/**
 * Access of a person to a model: closed if one of their groups closes it; else open if one opens it; else by the first matching
 * rule of the configuration, or its default. Rules match the given and the canonical name, so that a date, a prefix or upper
 * case does not evade them.
 */
export function accessOf(
  settings: Settings,
  { allow, deny }: Pick<ModelRules, 'allow' | 'deny'>,
  model: string,
  canonical: string,
): Access {
  const name = comparableName(model)
  const isNamed = (match: string) => matches(match, name) || matches(match, canonical)
  if (deny.some(isNamed)) return 'closed'
  if (allow.some(isNamed)) return 'open'
  return settings.models.rules.find(({ match }) => isNamed(match))?.access ?? settings.models.defaultAccess
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

/** Whether a key is for the model, or a device's policy has it. */
export function isFor(
  { only, available }: Pick<ModelRules, 'only' | 'available'>,
  model: string,
  canonical: string,
): boolean {
  if (available && !isAvailable(available, model, canonical)) return false
  if (!only) return true
  const name = comparableName(model)
  return only.some((match) => matches(match, name) || matches(match, canonical))
}

/** Whether a caller may use the model: their key is for it, and it is open or granted to them. */
export function mayUse(
  settings: Settings,
  { models, grants }: { models: ModelRules; grants: ReadonlySet<string> },
  model: string,
  canonical: string,
): boolean {
  const access = accessOf(settings, models, model, canonical)
  return isFor(models, model, canonical) && isAllowed(access, grants, model, canonical)
}

/** Whether this caller may use every model. Only then may a call that names no readable model go to the upstream. */
export function mayUseAll({ models }: Settings, { allow, deny, only, available }: ModelRules): boolean {
  if (only || available || deny.length > 0) return false
  const isOpen = models.defaultAccess === 'open' && models.rules.every(({ access }) => access === 'open')
  return isOpen || allow.includes('*')
}
