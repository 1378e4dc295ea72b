/** Keys that somebody makes and ends themselves: their own, or those of a service account of their group. */

import { del, get, post, put } from './client.ts'
import type { Key, MadeKey } from './index.ts'

export interface KeptKeys {
  list: () => Promise<{ keys: Key[] }>
  create: (name: string, expires_at: string | null) => Promise<{ key: MadeKey }>
  change: (
    id: number,
    change: { name: string; expires_at?: string | null | undefined },
  ) => Promise<{ key: Key }>
  turn: (id: number, on: boolean) => Promise<{ key: Key }>
  /** A new secret; the one before it works for so many hours. */
  rotate: (id: number, overlap_hours: number) => Promise<{ key: MadeKey }>
  endOldSecret: (id: number) => Promise<{ key: Key }>
  remove: (id: number) => Promise<unknown>
}

export const ownKeys = keysAt('/api/keys')

export function keysOfAccount(id: number): KeptKeys {
  return keysAt(`/api/service-accounts/${id}/keys`)
}

function keysAt(path: string): KeptKeys {
  return {
    list: () => get(path),
    create: (name, expires_at) => post(path, { name, expires_at }),
    change: (id, change) => put(`${path}/${id}`, change),
    turn: (id, on) => put(`${path}/${id}`, { status: on ? 'active' : 'disabled' }),
    rotate: (id, overlap_hours) => post(`${path}/${id}/rotate`, { overlap_hours }),
    endOldSecret: (id) => del(`${path}/${id}/previous`),
    remove: (id) => del(`${path}/${id}`),
  }
}
