/** Which events people are told of by mail: what they chose, else what administrators chose for all, else of each. */
import { eq, type SQL, sql } from 'drizzle-orm'
import { changeOf } from '../audit/change.ts'
import { type Actor, auditRow } from '../audit/record.ts'
import { noticePreferences } from '../db/schema.ts'
import type { Clock, Db } from '../ports.ts'
import { NOTICE_EVENT_NAMES, type NoticeEvent } from './events.ts'

/** Person 0: what holds for all who did not choose. */
const EVERYBODY = 0

export interface Preference {
  event: NoticeEvent
  wanted: boolean
  /** Whether that is a choice of theirs, or of the administrators' where it is the default of all. */
  chosen: boolean
}
/** null = no choice. */
export type Choice = { event: NoticeEvent; wanted: boolean | null }

export async function preferencesOf(db: Db, userId: number): Promise<Preference[]> {
  const [own, defaults] = await Promise.all([chosenBy(db, userId), chosenBy(db, EVERYBODY)])
  return NOTICE_EVENT_NAMES.map((event) => ({
    event,
    wanted: own.get(event) ?? defaults.get(event) ?? true,
    chosen: own.has(event),
  }))
}

export async function choosePreferences(
  db: Db,
  userId: number,
  choices: readonly Choice[],
): Promise<Preference[]> {
  const [first, ...others] = choices.map((choice) => choosing(db, userId, choice))
  if (first) await db.batch([first, ...others])
  return preferencesOf(db, userId)
}

export function defaultPreferences(db: Db): Promise<Preference[]> {
  return preferencesOf(db, EVERYBODY)
}

/** Chooses for all who did not choose. */
export async function chooseDefaults(
  { db, clock, actor }: { db: Db; clock: Clock; actor: Actor },
  choices: readonly Choice[],
): Promise<Preference[]> {
  const before = await defaultPreferences(db)
  const after = await choosePreferences(db, EVERYBODY, choices)
  const change = changeOf({ events: wantedIn(before) }, { events: wantedIn(after) })
  if (change.after.events) {
    await auditRow(db, { actor, at: clock.now(), action: 'notices.defaults', target: 'notices', ...change })
  }
  return after
}

/** Whether the person that `userId` names wants a mail about the event. */
export function wants(event: NoticeEvent, userId: SQL): SQL {
  const chosen = (who: SQL) =>
    sql`(select wanted from notice_preferences where user_id = ${who} and event = ${event})`
  return sql`coalesce(${chosen(userId)}, ${chosen(sql`${EVERYBODY}`)}, 1)`
}

function wantedIn(preferences: readonly Preference[]): NoticeEvent[] {
  return preferences.filter(({ wanted }) => wanted).map(({ event }) => event)
}

async function chosenBy(db: Db, userId: number): Promise<ReadonlyMap<string, boolean>> {
  const rows = await db.select().from(noticePreferences).where(eq(noticePreferences.userId, userId))
  return new Map(rows.map(({ event, wanted }) => [event, wanted]))
}

function choosing(db: Db, userId: number, { event, wanted }: Choice) {
  return wanted === null
    ? db.run(sql`delete from notice_preferences where user_id = ${userId} and event = ${event}`)
    : db.run(sql`insert into notice_preferences (user_id, event, wanted) values (${userId}, ${event}, ${wanted ? 1 : 0})
        on conflict do update set wanted = excluded.wanted`)
}
