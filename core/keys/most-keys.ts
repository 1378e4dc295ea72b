/** How many keys a user may have. */
import { type SQL, sql } from 'drizzle-orm'

/** More than a person needs, few enough that nobody fills the key cache. */
export const MOST_KEYS = 100

/** For the statement that adds a key, so that parallel requests cannot pass the limit together. */
export function hasRoomForKey(userId: number): SQL {
  return sql`(select count(*) from api_keys as held
    where held.user_id = ${userId} and held.kind = 'key' and held.deleted_at is null) < ${MOST_KEYS}`
}
