/** Notices of what comes at a time: keys that end, and models that retire. Looked for once an hour by any process. */
import { sql } from 'drizzle-orm'
import type { Catalogue } from '../models/catalogue.ts'
import type { Clock, Db } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import { retiringModels } from '../reports/retiring.ts'
import type { Settings } from '../settings.ts'
import { DAY_MS } from '../units.ts'
import { noticeRow } from './outbox.ts'

/** How long before its end a key is told of. */
const KEY_MS = 7 * DAY_MS

/** A key whose end is moved is told of again. */
export async function remindOfKeys({ db, clock }: { db: Db; clock: Clock }): Promise<void> {
  const now = clock.now()
  await db.run(sql`
    insert into notices (dedupe_key, event, data, created_at)
    select 'key.ending ' || id || ' ' || expires_at, 'key.ending', json_object('id', id), ${now} from api_keys
    where expires_at > ${now} and expires_at <= ${now + KEY_MS} and status = 'active' and deleted_at is null
      and kind = 'key'
    on conflict do nothing`)
}

export async function remindOfModels({
  db,
  clock,
  catalogue,
  prices,
  settings,
}: {
  db: Db
  clock: Clock
  catalogue: Catalogue
  prices: Prices
  settings: Pick<Settings, 'backends'>
}): Promise<void> {
  const now = clock.now()
  // Of the lists that are here already, because nobody waits for this.
  const ids = new Set(settings.backends.flatMap((backend) => catalogue.listedBy(backend) ?? []))
  const listed = [...ids].flatMap((id) => catalogue.known(id) ?? [])
  for (const { model, retiresAt, users } of await retiringModels(db, listed, {
    canonical: prices.canonical,
    now,
  })) {
    if (retiresAt <= now) continue
    const data = { model: model.id, retires_at: retiresAt, user_ids: users.map(({ userId }) => userId) }
    await noticeRow(db, { event: 'model.retiring', data, key: `${model.id} ${retiresAt}`, at: now })
  }
}
