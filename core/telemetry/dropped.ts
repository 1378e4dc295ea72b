/** Why something was dropped. */
export const DROPPED = [
  'queue_full',
  'collector_refused',
  'collector_away',
  'too_many',
  'unreadable',
] as const
export type Dropped = (typeof DROPPED)[number]
