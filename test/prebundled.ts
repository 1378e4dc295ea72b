/**
 * What vitest bundles before tests load it. Drizzle's package.json has 180 KB, which Node reads again for each of its hundreds of
 * files: more than half a second of a core in each file of tests.
 */
const PACKAGES = [
  'drizzle-orm',
  'drizzle-orm/batch',
  'drizzle-orm/d1',
  'drizzle-orm/libsql',
  'drizzle-orm/libsql/sqlite3',
  'drizzle-orm/libsql/web',
  'drizzle-orm/sqlite-core',
  'drizzle-orm/sqlite-core/query-builders/raw',
]

export const PREBUNDLED = { optimizer: { ssr: { enabled: true, include: PACKAGES } } }
