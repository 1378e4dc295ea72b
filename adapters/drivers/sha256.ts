/** SHA-256 on any runtime with node:crypto: Node, Lambda and Workers with nodejs_compat. */
import { createHash } from 'node:crypto'

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
