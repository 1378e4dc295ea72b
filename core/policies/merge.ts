/**
 * Puts the settings of a policy over those of everybody (core/calls/PROTOCOL.md, Signing in): most keys replace, lists of what is
 * forbidden are joined, and maps are joined key by key.
 */
import { isRecord } from '../json/is-record.ts'

export type ManagedSettings = Readonly<Record<string, unknown>>

/** Paths of lists that are joined, because what one policy forbids another must not allow. */
const JOINED = new Set([
  'permissions.deny',
  'permissions.ask',
  'disabledMcpjsonServers',
  'deniedMcpServers',
  'blockedMarketplaces',
])
/** Paths of maps whose keys are put over each other. */
const MAPS = new Set(['env', 'modelOverrides', 'skillOverrides', 'permissions', 'desktop'])

export function mergeSettings(base: ManagedSettings, over: ManagedSettings): ManagedSettings {
  return mergeAt('', base, over)
}

function mergeAt(path: string, base: ManagedSettings, over: ManagedSettings): ManagedSettings {
  const merged: Record<string, unknown> = { ...base }
  for (const [name, value] of Object.entries(over)) {
    merged[name] = mergedValue(path === '' ? name : `${path}.${name}`, base[name], value)
  }
  return merged
}

function mergedValue(path: string, before: unknown, after: unknown): unknown {
  if (JOINED.has(path) && Array.isArray(before) && Array.isArray(after)) return union(before, after)
  if (path === 'hooks' && isRecord(before) && isRecord(after)) return joinedHooks(before, after)
  if (MAPS.has(path) && isRecord(before) && isRecord(after)) return mergeAt(path, before, after)
  return after
}

/** Every list of hooks is joined. */
function joinedHooks(before: ManagedSettings, after: ManagedSettings): ManagedSettings {
  const joined: Record<string, unknown> = { ...before }
  for (const [event, hooks] of Object.entries(after)) {
    const known = before[event]
    joined[event] = Array.isArray(known) && Array.isArray(hooks) ? union(known, hooks) : hooks
  }
  return joined
}

/** Without what is there twice, in the order in which it came. */
function union(before: readonly unknown[], after: readonly unknown[]): unknown[] {
  const known = new Set<string>()
  return [...before, ...after].filter((one) => {
    const text = JSON.stringify(one)
    if (known.has(text)) return false
    known.add(text)
    return true
  })
}
