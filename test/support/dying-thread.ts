/** The thread of a database that dies in the middle of the statement `select 'die'`. */
import { parentPort } from 'node:worker_threads'
import '../../adapters/drivers/storage/database-thread.ts'

parentPort?.on('message', (order: unknown) => {
  if (JSON.stringify(order).includes("select 'die'")) throw new Error('it died')
})
