import * as z from 'zod'

/** A section that may be left out; its defaults hold then. */
export function section<T extends z.ZodRawShape>(shape: T) {
  return z.preprocess((value) => value ?? {}, z.strictObject(shape))
}
