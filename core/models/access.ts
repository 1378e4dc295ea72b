/** Which model a call really means, and whether its caller may use it. */
import { matches } from '../glob.ts'
import type { Access, Policy } from '../policy.ts'

/** The model that is sent for the one that was named: the first replacement that matches, in file order. */
export function replacementFor(policy: Policy, named: string): string {
  for (const [pattern, model] of policy.modelReplacements) {
    if (pattern === named || (pattern.includes('*') && matches(pattern, named))) return model
  }
  return named
}

/**
 * How a model may be used: the first rule that matches decides, else the default. Rules see the name as given and its
 * canonical form, so that a date, a prefix or another case does not lead around them.
 */
export function accessOf(policy: Policy, model: string, canonical: string): Access {
  for (const { match, access } of policy.models.rules) {
    if (matches(match, model) || matches(match, canonical)) return access
  }
  return policy.models.defaultAccess
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
