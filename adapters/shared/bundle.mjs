/**
 * The bundle that `npm run build:node` makes of this program, because hundreds of files take seconds and 150 MB to load. Plain
 * JavaScript, because what reads TypeScript takes another 24 MB.
 */
import { readdirSync, statSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const SOURCES = ['adapters', 'config', 'core', 'functions']

/**
 * Loads and runs an entry point: that of the bundle if it is there and newer than every source, else `source`. Rejects as
 * the program does.
 * @param {'node' | 'cli'} entry
 * @param {string} source
 */
export async function run(entry, source) {
  const bundled = join(ROOT, 'dist/node', `${entry}.mjs`)
  enableCompileCache()
  await import(isFresh(bundled) ? bundled : source)
}

/** @param {string} file */
function isFresh(file) {
  const built = changedAt(file)
  if (built === undefined) return false
  const newer = (/** @type {string} */ path) => (changedAt(path) ?? 0) > built
  return ![join(ROOT, 'package-lock.json'), ...SOURCES.flatMap(filesOf)].some(newer)
}

/** @param {string} folder */
function filesOf(folder) {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
}

/** @param {string} file */
function changedAt(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs
}
