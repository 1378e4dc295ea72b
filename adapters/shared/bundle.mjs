/**
 * The bundle that `npm run build:node` makes of this program, because hundreds of files take seconds and 150 MB to load. Plain
 * JavaScript, because what reads TypeScript takes another 24 MB.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join, relative } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const SOURCES = ['adapters', 'config', 'core', 'functions']
/** What the bundle is made of; an operator's configuration is not. */
const SOURCE = /\.(ts|mjs|json)$/
/** Beside the bundle: the hash of the sources that it was made of. */
export const HASH_FILE = 'dist/node/sources.sha256'

/**
 * Loads and runs an entry point: that of the bundle if it was made of these very sources, else `source`. Their times tell
 * nothing, because an older version may be unpacked over a newer one. Rejects as the program does.
 * @param {'node' | 'cli'} entry
 * @param {string} source
 */
export async function run(entry, source) {
  enableCompileCache()
  await import(builtOf() === sourcesHash() ? join(ROOT, 'dist/node', `${entry}.mjs`) : source)
}

/** SHA-256 of all sources and of the versions of all packages. */
export function sourcesHash() {
  const hash = createHash('sha256')
  for (const file of [join(ROOT, 'package-lock.json'), ...SOURCES.flatMap(filesOf).sort()]) {
    hash
      .update(`${relative(ROOT, file)}\0`)
      .update(readFileSync(file))
      .update('\0')
  }
  return hash.digest('hex')
}

function builtOf() {
  try {
    return readFileSync(join(ROOT, HASH_FILE), 'utf8')
  } catch {
    return undefined
  }
}

/** @param {string} folder */
function filesOf(folder) {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && SOURCE.test(entry.name))
    .map(({ parentPath, name }) => join(parentPath, name))
}
