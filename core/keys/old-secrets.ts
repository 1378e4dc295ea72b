/** When the secrets that were replaced are used, so that whoever ends one knows whether a program still needs it. */
import { sql } from 'drizzle-orm'
import { apiKeys } from '../db/schema.ts'
import type { Clock, Db } from '../ports.ts'
import { type SeldomParts, seldomWritten } from '../seldom-written.ts'
import { MINUTE_MS } from '../units.ts'
import type { Caller } from './caller.ts'

export interface OldSecrets {
  /** A request came from this caller. Those with the present secret are ignored. */
  called(caller: Pick<Caller, 'keyId' | 'keyPrefix' | 'hasOldSecret'>): void
}

export function createOldSecrets(parts: SeldomParts & { db: Db; clock: Clock }): OldSecrets {
  const { db, clock } = parts
  const used = seldomWritten<{ prefix: string; at: number }>(parts, {
    most: 20_000,
    isNews: ({ prefix }, before, sinceMs) => prefix !== before.prefix || sinceMs >= MINUTE_MS,
    // By its first characters, because the key may have been rotated again since.
    write: (entries) =>
      db.run(sql`update ${apiKeys} set previous_used_at = used.at
        from (select value->>0 as id, value->>1 as prefix, value->>2 as at
          from json_each(${JSON.stringify(entries.map(([id, { prefix, at }]) => [id, prefix, at]))})) as used
        where ${apiKeys.id} = used.id and ${apiKeys.previousPrefix} = used.prefix
          and used.at > coalesce(${apiKeys.previousUsedAt}, 0)`),
    events: { failed: 'old_secret.not_written', worksAgain: 'old_secret.written_again' },
  })
  return {
    called({ keyId, keyPrefix, hasOldSecret }) {
      if (hasOldSecret) used(keyId, { prefix: keyPrefix, at: clock.now() })
    },
  }
}
