/** Run as a process of its own: opens and migrates the database named by the first argument. */
import { openFile } from '../../adapters/drivers/storage/libsql.ts'
import { migrate } from '../../core/db/migrate.ts'

const storage = await openFile(process.argv[2] ?? '')
await migrate(storage.db)
await storage.close()
