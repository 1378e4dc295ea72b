/** How many devices a person may have signed in. */
import { type SQL, sql } from 'drizzle-orm'

/** More than a person needs, few enough that nobody fills the key cache. */
export const MOST_DEVICES = 100

/** For the statement that lets one in, so that parallel requests cannot pass the limit together. */
export function hasRoomForDevice(userId: number): SQL {
  return sql`(select count(*) from api_keys as held
    where held.user_id = ${userId} and held.kind = 'device' and held.deleted_at is null) < ${MOST_DEVICES}`
}
