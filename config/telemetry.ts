/** Settings of what the gateway tells of itself. */
import * as z from 'zod'
import { headerSecret } from './secrets.ts'
import { section } from './section.ts'

export const metrics = section({
  /** null: no port of their own. */
  port: z.int().min(0).max(65_535).nullable().default(null),
  host: z.string().min(1).default('127.0.0.1'),
  token: headerSecret
    .refine((text) => text === '' || text.length >= 16, 'at least 16 characters are expected')
    .default(''),
})
