/**
 * Counts what people did with Claude Code, by day in UTC. The person is whose token it came with, whatever the metrics say. What
 * is told twice counts once, over any number of processes: the database keeps a hash of each point for a while.
 */
import { eq, lt, sql } from 'drizzle-orm'
import { claudeCodeDays, claudeCodePoints } from '../db/schema.ts'
import type { Sha256 } from '../keys/mint.ts'
import { createThrottle } from '../limits/throttle.ts'
import { createOutage } from '../outage.ts'
import type { Clock, Db, Logger } from '../ports.ts'
import { DAY_MS } from '../units.ts'
import { type Counted, countedOf } from './counted.ts'
import { deltaPoints, type Point } from './points.ts'

interface Person {
  userId: number
  keyId: number
}

export interface DailySums {
  /** Counts what is in metrics, and answers whether all of it is counted. Throws where the bytes are none. */
  metrics(person: Person, body: Uint8Array, isProtobuf: boolean): boolean
  /** Counts a session once, however often it is seen. */
  session(person: Person, session: string): void
}

export interface DailySumsParts {
  db: Db
  clock: Clock
  logger: Logger
  sha256: Sha256
  /** The name under which a model is counted. */
  modelLabel(model: string): string
  waitUntil(work: Promise<unknown>): void
}

interface Waiting extends Person, Counted {
  hash: string
  day: number
  expiresAt: number
}

/** Whoever sends a telling again does so within minutes. */
const POINT_MS = DAY_MS
/** A session may be left and resumed. */
const SESSION_MS = 30 * DAY_MS
const MOST_WAITING = 20_000
const AT_ONCE = 1_000
/** Points of a person: some twenty a minute of each terminal. */
const POINTS = { burst: 2_000, everyMs: 250 }
/** Of one telling: more would keep calls waiting while they are read. */
const MOST_POINTS = 1_000
const LONGEST_SESSION = 128
const MOST_KNOWN_SESSIONS = 20_000
const NANOS_PER_MS = 1_000_000n

export function createDailySums(parts: DailySumsParts): DailySums {
  const { clock, sha256, modelLabel } = parts
  const throttle = createThrottle(clock, POINTS)
  const writer = createWriter(parts)
  const known = new Set<string>()

  function add(person: Person, counted: Counted, at: { day: number; keptMs: number; hashed: unknown[] }) {
    if (throttle.take(String(person.userId)) > 0) return false
    const hash = sha256(JSON.stringify([person.userId, ...at.hashed]))
    return writer.add({ ...person, ...counted, hash, day: at.day, expiresAt: clock.now() + at.keptMs })
  }
  function session(person: Person, id: string) {
    const name = `${person.userId} ${id}`
    if (id === '' || id.length > LONGEST_SESSION || known.has(name)) return true
    const oldest = known.size >= MOST_KNOWN_SESSIONS ? known.values().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
    known.add(name)
    const at = { day: dayOf(clock.now()), keptMs: SESSION_MS, hashed: ['session', id] }
    return add(person, { kind: 'sessions', label: '', amount: 1 }, at)
  }
  function point(person: Person, told: Point) {
    if (told.metric === 'claude_code.session.count') {
      return session(person, told.attributes.get('session.id') ?? '')
    }
    const counted = countedOf(told, modelLabel)
    if (!counted) return true
    const attributes = [...told.attributes].toSorted(([one], [other]) => (one < other ? -1 : 1))
    const hashed = [told.metric, attributes, String(told.start), String(told.end)]
    return add(person, counted, { day: dayToldOf(told, clock.now()), keptMs: POINT_MS, hashed })
  }
  return {
    session: (person, id) => void session(person, id),
    metrics(person, body, isProtobuf) {
      let isWhole = true
      let left = MOST_POINTS
      for (const told of deltaPoints(body, isProtobuf)) {
        // Whatever they are, because also those that are not counted are read.
        if (left === 0) return false
        left -= 1
        isWhole = point(person, told) && isWhole
      }
      return isWhole
    },
  }
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS
}

/** The day on which the point ended, or today where its clock is more than a day off. */
function dayToldOf({ end }: Point, now: number): number {
  const told = Number(end / NANOS_PER_MS)
  return dayOf(Math.abs(told - now) > DAY_MS ? now : told)
}

/**
 * Writes what waits in batches, one at a time. What the database does not take waits for the next; what is too much is dropped,
 * and the answer to it is false.
 */
function createWriter({ db, logger, waitUntil }: Pick<DailySumsParts, 'db' | 'logger' | 'waitUntil'>) {
  const events = { failed: 'telemetry.not_counted', worksAgain: 'telemetry.counted_again' }
  const outage = createOutage(logger, events)
  let waiting: Waiting[] = []
  let writing = false

  async function writeAll() {
    // What comes in one turn is written together.
    await Promise.resolve()
    while (waiting.length > 0) {
      const some = waiting.slice(0, AT_ONCE)
      await writePoints(db, some)
      waiting = waiting.slice(some.length)
      outage.worked()
    }
  }
  return {
    add(one: Waiting): boolean {
      if (waiting.length >= MOST_WAITING) return false
      waiting.push(one)
      if (writing) return true
      writing = true
      const ended = writeAll()
        .catch(outage.failed)
        .finally(() => {
          writing = false
        })
      waitUntil(ended)
      return true
    },
  }
}

/** One batch: points that are known already add nothing, so that it may be repeated. */
async function writePoints(db: Db, points: readonly Waiting[]): Promise<void> {
  const batch = crypto.randomUUID()
  const rows = JSON.stringify(
    points.map(({ hash, day, userId, keyId, kind, label, amount, expiresAt }) => {
      return [hash, day, userId, keyId, kind, label, amount, expiresAt]
    }),
  )
  await db.batch([
    db.run(sql`insert into ${claudeCodePoints}
        (hash, batch, day, user_id, api_key_id, kind, label, amount, expires_at)
      select value->>0, ${batch}, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7
      from json_each(${rows}) where true on conflict (hash) do nothing`),
    db.run(sql`insert into ${claudeCodeDays} (day, user_id, api_key_id, kind, label, amount)
      select day, user_id, api_key_id, kind, label, sum(amount) from ${claudeCodePoints}
      where batch = ${batch} group by day, user_id, api_key_id, kind, label
      on conflict (day, user_id, api_key_id, kind, label) do update set amount = amount + excluded.amount`),
  ])
}

/** Forgets points that nobody sends again. */
export async function sweepPoints(db: Db, now: number): Promise<void> {
  await db.delete(claudeCodePoints).where(lt(claudeCodePoints.expiresAt, now))
}

/** All sums of a day; `day` is its first ms in UTC. */
export async function sumsOfDay(db: Db, day: number): Promise<(typeof claudeCodeDays.$inferSelect)[]> {
  return db.select().from(claudeCodeDays).where(eq(claudeCodeDays.day, day))
}
