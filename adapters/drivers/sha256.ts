/** SHA-256 on any runtime with node:crypto: Node, Lambda and Workers with nodejs_compat. */
import { hash } from 'node:crypto'

export function sha256(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex')
}
