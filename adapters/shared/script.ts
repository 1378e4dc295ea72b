/** Long work on files that must not block this process: a script in a process of its own, with low priority. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, setPriority } from 'node:os'

export interface Script {
  /** Resolves when it ended well; rejects with what it wrote to standard error. */
  done: Promise<void>
  stop(): void
}

export function runScript(file: string, args: readonly string[]): Script {
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  if (child.pid !== undefined) {
    try {
      setPriority(child.pid, constants.priority.PRIORITY_LOW)
    } catch {
      // It has ended already.
    }
  }
  return { done: ended(child), stop: () => void child.kill() }
}

async function ended(child: ChildProcess): Promise<void> {
  let said = ''
  child.stderr?.on('data', (data: Buffer) => {
    said += data
  })
  const [code, signal] = await once(child, 'close')
  if (code !== 0) throw new Error(said.trim() || `ended with ${signal ?? code}`)
}
