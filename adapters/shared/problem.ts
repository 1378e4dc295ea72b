import { DatabaseUnavailable, rootOf } from '../../core/errors.ts'

/** What to print of an error that ends a start or a command: one sentence where there is one. */
export function problemOf(thrown: unknown): string {
  const root = rootOf(thrown)
  if (root instanceof DatabaseUnavailable) return root.message
  return thrown instanceof Error ? thrown.message : String(thrown)
}
