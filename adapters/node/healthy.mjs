/**
 * The health check of an image: ends with 0 if the gateway in this container answers. Where it listens is asked of the system and
 * not of the configuration, which may have been changed, or spoilt, since the start.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const LISTENS = '0A'
const WAIT_MS = 5_000

/** The ports that processes of this user listen on: https://docs.kernel.org/networking/proc_net_tcp.html */
function portsIn(folder) {
  const files = ['tcp', 'tcp6'].map((name) => join(folder, name)).filter((file) => existsSync(file))
  const sockets = files.flatMap((file) => readFileSync(file, 'utf8').trim().split('\n').slice(1))
  const own = sockets.flatMap((line) => {
    const [, local = '', , state, , , , user] = line.trim().split(/\s+/)
    return state === LISTENS && Number(user) === process.getuid?.() ? [local.split(':')[1] ?? ''] : []
  })
  return [...new Set(own)].map((port) => Number.parseInt(port, 16))
}

const answers = portsIn(process.argv[2] ?? '/proc/net').map((port) =>
  fetch(`http://localhost:${port}/healthz`, { signal: AbortSignal.timeout(WAIT_MS) }).then(({ ok }) => {
    if (!ok) throw new Error('something else')
  }),
)
await Promise.any(answers).then(
  () => process.exit(0),
  () => process.exit(1),
)
