/**
 * The bundle that `npm run build:node` makes of this program, because hundreds of files take seconds and 150 MB to load. Plain
 * JavaScript, because what reads TypeScript takes another 24 MB.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join, relative } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const SOURCES = ['adapters', 'config', 'core', 'functions']
/** What the bundle is made of; an operator's configuration is not. */
const SOURCE = /\.(ts|mjs|json)$/
/** Beside the bundle: the hash of the sources that it was made of. */
export const HASH_FILE = 'dist/node/sources.sha256'
/** Beside it: what the system said of the sources when they last had this hash. */
const SEEN_FILE = 'dist/node/sources.seen'

/**
 * Loads and runs an entry point: that of the bundle if it was made of these very sources, else `source`. Rejects as the program
 * does.
 * @param {'node' | 'cli'} entry
 * @param {string} source
 */
export async function run(entry, source) {
  enableCompileCache()
  await import(isBuilt() ? join(ROOT, 'dist/node', `${entry}.mjs`) : source)
}

/** Sources are only read where anything of them changed, because reading them takes a twentieth of the start. */
function isBuilt() {
  const built = textOf(HASH_FILE)
  if (built === undefined) return false
  const seen = `${built}\n${sourcesSeen()}`
  if (textOf(SEEN_FILE) === seen) return true
  if (sourcesHash() !== built) return false
  try {
    writeFileSync(join(ROOT, SEEN_FILE), seen)
  } catch {
    // It may not be ours to write, and is only read to save time.
  }
  return true
}

/** SHA-256 of all sources and of the versions of all packages. */
export function sourcesHash() {
  const hash = createHash('sha256')
  for (const file of sources().sort()) {
    hash
      .update(`${relative(ROOT, file)}\0`)
      .update(readFileSync(file))
      .update('\0')
  }
  return hash.digest('hex')
}

/**
 * What the system says of all sources. It tells files apart by their number and the time of their last change, which nobody can
 * set; the time of their last writing tells nothing, because an older version may be unpacked over a newer one.
 */
function sourcesSeen() {
  const told = sources().map((file) => {
    const { ino, size, ctimeMs } = statSync(file)
    return `${file} ${ino} ${size} ${ctimeMs}`
  })
  return told.join('\n')
}

function sources() {
  return [join(ROOT, 'package-lock.json'), ...SOURCES.flatMap(filesOf)]
}

/** @param {string} file */
function textOf(file) {
  try {
    return readFileSync(join(ROOT, file), 'utf8')
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
