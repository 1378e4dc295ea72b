/** Managed settings as Claude Code fetches them (core/calls/PROTOCOL.md, Signing in). */
import { isRecord } from '../json/is-record.ts'
import type { Sha256 } from '../keys/mint.ts'
import type { ManagedSettings } from './merge.ts'

export interface ManagedAnswer {
  /** The same for one person and gateway. */
  uuid: string
  /** `sha256:` and the hex of the settings' canonical text; also the ETag. */
  checksum: string
  settings: ManagedSettings
}

export function managedAnswer(settings: ManagedSettings, person: string, sha256: Sha256): ManagedAnswer {
  return { uuid: uuidOf(sha256(person)), checksum: `sha256:${sha256(canonical(settings))}`, settings }
}

/** JSON with sorted keys at every level and no white space. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (!isRecord(value)) return JSON.stringify(value)
  const entries = Object.keys(value)
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`)
  return `{${entries.join()}}`
}

/** A UUID of version 8 (RFC 9562) from a hash. */
export function uuidOf(hex: string): string {
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`]
  return [...parts, hex.slice(20, 32)].join('-')
}

/** Whether the answer is what an `If-None-Match` names already; `*` names whatever there is. */
export function isKnown(ifNoneMatch: string | undefined, checksum: string): boolean {
  if (ifNoneMatch === undefined) return false
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.some((tag) => tag === '*' || tag === `"${checksum}"`)
}
