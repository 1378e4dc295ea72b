/** `availableModels` of a policy: what its people may choose in Claude Code, which calls of their devices must obey as well. */
import { comparableName } from '../models/name.ts'
import type { ManagedSettings } from './merge.ts'

const FAMILY = /^[a-z]+$/

/** The list of a policy; undefined where it has none. */
export function availableIn(settings: ManagedSettings): readonly string[] | undefined {
  const { availableModels } = settings
  if (!Array.isArray(availableModels)) return undefined
  return availableModels.filter((one) => typeof one === 'string')
}

/** Whether an entry names the model: a family (opus), the beginning of its version (claude-opus-4), or all of it. */
export function isAvailable(entries: readonly string[], model: string, canonical: string): boolean {
  const names = [comparableName(model).toLowerCase(), canonical]
  return entries.some((entry) => {
    const wanted = comparableName(entry).toLowerCase()
    if (FAMILY.test(wanted)) return names.some((name) => name.split('-').includes(wanted))
    return names.some((name) => name === wanted || name.startsWith(`${wanted}-`))
  })
}

/**
 * The settings with the models that a person may use, where the policy names none. A list is never empty, because Claude Code
 * would then refuse to start; and it is enforced, because Claude Code's own default may not be in it.
 */
export function withAvailableModels(settings: ManagedSettings, usable: readonly string[]): ManagedSettings {
  if (availableIn(settings) || usable.length === 0) return settings
  return { ...settings, availableModels: [...usable], enforceAvailableModels: true }
}
