/** What the primary process tells a worker. */
import * as z from 'zod'

/** The descriptor of a worker's end of the socket on which it asks its primary for what they share. */
export const PRIMARY_SOCKET = 4

const File = z.object({
  file: z.string(),
  text: z.string(),
  files: z.record(z.string(), z.string()).optional(),
})

/** The first message to a worker. */
export const Start = z.object({
  /** The configuration file, and what it names, as it was when the primary started, which settles what only a start can change. */
  started: File,
  /** The configuration file that is in force. */
  inForce: File,
  /** A listening socket of the primary, as its file descriptor. */
  socket: z.int().optional(),
  /** PRIMARY_SOCKET; absent where new code is started by the primary of an older release, which has no such socket. */
  primary: z.int().optional(),
  warns: z.boolean(),
})
export type Start = z.infer<typeof Start>

/** Every later message. `stop` may come twice; `now`: new calls are refused at once. */
export const Order = z.enum(['retire', 'stop', 'stop now'])
export type Order = z.infer<typeof Order>
