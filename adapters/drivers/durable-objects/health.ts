/** Durable Object with the health of one backend, or with moved conversations. It handles one request at a time. */
import { DurableObject } from 'cloudflare:workers'
import { MOVE_LIFE_MS, type Move } from '../../../core/ports.ts'

interface StoredRecord {
  revision: number
  record: string
}
interface StoredMove {
  move: Move
  writtenAt: number
}

export class HealthObject extends DurableObject {
  /** All health records: key → JSON. */
  async all(): Promise<Record<string, string>> {
    const stored = await this.ctx.storage.list<StoredRecord>()
    return Object.fromEntries([...stored].map(([key, { record }]) => [key, record]))
  }

  /** Compare and swap, atomic because nothing else runs in this object between reading and writing. */
  async swap(key: string, seen: number | undefined, revision: number, record: string): Promise<boolean> {
    const found = await this.ctx.storage.get<StoredRecord>(key)
    if (found?.revision !== seen) return false
    await this.ctx.storage.put(key, { revision, record })
    return true
  }

  async move(moves: Move[], now: number): Promise<void> {
    const known = await this.#known()
    for (const move of moves) {
      const key = `${move.person} ${move.conversation}`
      known.set(key, { move, writtenAt: now })
      await this.ctx.storage.put(key, { move, writtenAt: now })
    }
    for (const [key, { writtenAt }] of known) {
      if (writtenAt >= now - MOVE_LIFE_MS) continue
      known.delete(key)
      await this.ctx.storage.delete(key)
    }
  }

  async movedSince(since: number): Promise<Move[]> {
    return [...(await this.#known()).values()].flatMap(({ move, writtenAt }) =>
      writtenAt >= since ? move : [],
    )
  }

  #moves: Promise<Map<string, StoredMove>> | undefined
  #known() {
    this.#moves ??= this.ctx.storage.list<StoredMove>()
    return this.#moves
  }
}
