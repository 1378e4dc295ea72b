/** The stores of a primary process, and workers of it, over real sockets in one process. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { openChannel, type PrimaryChannel } from '../../adapters/drivers/primary/channel.ts'
import { createPrimaryStores, type ServeWorker } from '../../adapters/drivers/primary/stores.ts'
import { createTurn } from '../../adapters/drivers/turn.ts'
import { systemClock } from '../../core/clock.ts'
import type { Clock } from '../../core/ports.ts'
import { temporaryFolder } from './stores.ts'

export interface TestPrimary {
  /** A worker's socket. */
  connect(): Promise<Socket>
  channel(): Promise<PrimaryChannel>
  stop(): Promise<void>
}

export async function startPrimary(
  clock: Clock = systemClock,
  serve: ServeWorker = createPrimaryStores(clock),
): Promise<TestPrimary> {
  const folder = temporaryFolder()
  const path = join(folder.path, 'primary.sock')
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    serve(socket)
  })
  server.listen(path)
  await once(server, 'listening')
  const open = async () => {
    const socket = connect(path)
    sockets.add(socket)
    await once(socket, 'connect')
    return socket
  }
  return {
    connect: open,
    channel: async () => openChannel(await open(), createTurn()),
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      folder.remove()
    },
  }
}
