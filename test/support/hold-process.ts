/** Run as a process of its own: holds the write lock of a database (first argument) for so many ms (second). */
import Database from 'libsql'

const database = new Database(process.argv[2] ?? '')
// Whoever writes at this moment is waited for.
database.exec('pragma busy_timeout = 10000')
database.exec('begin immediate')
process.send?.('held')
setTimeout(() => {
  database.exec('commit')
  process.exit(0)
}, Number(process.argv[3]))
