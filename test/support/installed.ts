/** Programs of the machine. They are looked for and not run, because that takes a sixth of a second in each file of tests. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export function isInstalled(program: string): boolean {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.some((folder) => existsSync(join(folder, program)))
}
