/** Why something was dropped. */
export const DROPPED = [
  'queue_full',
  'collector_refused',
  'collector_away',
  'too_many',
  'unreadable',
  /** It went on to collectors, but the daily sums lack some of it. */
  'not_counted',
] as const
export type Dropped = (typeof DROPPED)[number]
