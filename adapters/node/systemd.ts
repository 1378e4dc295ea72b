/** What systemd gives to a service and wants to hear from it: a listening socket, and that the start is over. */
import { execFile } from 'node:child_process'
import type { Logger } from '../../core/ports.ts'

/** https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html */
const FIRST_SOCKET = 3

/** The socket that systemd opened for this process; undefined without one. Throws an Error if there are several. */
export function socketOfSystemd(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  // Children inherit the variables, but not the socket.
  if (Number(env.LISTEN_PID) !== pid) return undefined
  if (env.LISTEN_FDS !== '1') throw new Error('One socket is expected of systemd: a single ListenStream=.')
  return FIRST_SOCKET
}

/**
 * Tells systemd that the service has started (Type=notify). By the program systemd-notify, because Node has no datagram
 * sockets in the file system; NotifyAccess=all lets it speak for the service.
 */
export function notifyStarted(env: NodeJS.ProcessEnv, logger: Logger): void {
  if (!env.NOTIFY_SOCKET) return
  execFile('systemd-notify', ['--ready'], { env }, (cause) => {
    if (cause) logger.error('systemd.not_notified', { cause: cause.message })
  })
}
