/** A real Claude Code in a terminal (tmux), in a mount namespace of its own so that the machine's settings stay as they are. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { temporaryFolder } from '../support/stores.ts'
import { CLAUDE_BINARY } from './install.ts'

const WAIT_MS = 60_000
const LOOK_EVERY_MS = 200
/** After so many looks without effect a key is pressed again. */
const LOOKS_BETWEEN = 15

/** A mount namespace of one's own: by root, or by somebody who is root within a user namespace. */
const NAMESPACES = [['-m'], ['-r', '-m']]
const namespace = NAMESPACES.find((flags) =>
  succeeds('unshare', [...flags, 'mount', '--bind', '/tmp', '/mnt']),
)
/** Containers may forbid it. */
export const HAS_TERMINAL = namespace !== undefined && succeeds('tmux', ['-V'])

function succeeds(program: string, args: string[]): boolean {
  return spawnSync(program, args).status === 0
}

export interface Terminal {
  /** The person's home folder. */
  home: string
  /** What is on the screen once it has the text. Rejects after a minute with what is there instead. */
  shows(text: RegExp): Promise<string>
  /** Presses keys by tmux's names, such as Enter, one after the other. */
  press(...keys: string[]): Promise<void>
  /** Presses a key until the screen no longer has the text, because a dialog may be there before it hears keys. */
  dismiss(key: string, text: RegExp): Promise<void>
  /** Types a line, and sends it once the prompt has it. */
  enter(line: string): Promise<void>
  /** Ends Claude Code, if it runs, and starts it again in the same home. */
  restart(): void
  stop(): void
}

/** Settings files with their content: of the machine, for everybody, or the person's own. */
export interface SettingsFiles {
  machine?: string
  own?: string
}

/**
 * Starts Claude Code as a person who has seen its first screens already. It draws the whole screen (NO_FLICKER) always,
 * because it tells nobody that a limit is near by its other way, which it takes when it was ended before it was drawn.
 */
export function startTerminal(files: SettingsFiles): Terminal {
  const folder = temporaryFolder()
  const home = join(folder.path, 'home')
  const script = scriptIn(folder.path, files)
  const name = `gateway-${process.pid}-${Date.now()}`
  const tmux = (...args: string[]) => execFileSync('tmux', ['-L', name, ...args], { encoding: 'utf8' })
  const run = `unshare ${namespace?.join(' ')} bash ${script}`
  tmux('new-session', '-d', '-s', name, '-x', '140', '-y', '45', run, ';', 'set', 'remain-on-exit', 'on')
  const screen = () => tmux('capture-pane', '-p', '-t', name)
  const press = async (...keys: string[]) => {
    for (const key of keys) {
      tmux('send-keys', '-t', name, key)
      await sleep(LOOK_EVERY_MS)
    }
  }
  /** What stands at the prompt, which is below all that was said. */
  const prompt = () => {
    const lines = screen()
      .split('\n')
      .filter((one) => one.startsWith('❯'))
    return lines.at(-1)?.trimEnd() ?? ''
  }
  /** Does it again and again until the screen is as it should be. */
  const until = async (isReached: () => boolean, what: string, again?: () => void) => {
    const deadline = Date.now() + WAIT_MS
    for (let look = 0; !isReached(); look += 1) {
      if (Date.now() > deadline) throw new Error(`${what}:\n${screen()}`)
      if (look % LOOKS_BETWEEN === 0) again?.()
      await sleep(LOOK_EVERY_MS)
    }
  }
  return {
    home,
    async shows(text) {
      await until(() => text.test(screen()), `${text} does not come`)
      return screen()
    },
    press,
    dismiss: (key, text) =>
      until(
        () => !text.test(screen()),
        `${text} does not go`,
        () => tmux('send-keys', '-t', name, key),
      ),
    async enter(line) {
      await until(
        () => prompt().endsWith(line),
        `${line} is not taken`,
        () => tmux('send-keys', '-t', name, '-l', line),
      )
      await press('Enter')
    },
    restart: () => void tmux('respawn-pane', '-k', '-t', name, run),
    stop() {
      spawnSync('tmux', ['-L', name, 'kill-server'])
      folder.remove()
    },
  }
}

/** The folders of a machine and a person, and the script that starts Claude Code there. */
function scriptIn(folder: string, { machine, own }: SettingsFiles): string {
  const at = (name: string) => join(folder, name)
  const [etc, home, work] = [at('etc'), at('home'), at('work')]
  // The machine's own, as far as it can be read, with a folder that the machine need not have.
  spawnSync('cp', ['-a', '/etc', etc])
  for (const path of [join(etc, 'claude-code'), join(home, '.claude'), work])
    mkdirSync(path, { recursive: true })
  if (machine !== undefined) writeFileSync(join(etc, 'claude-code/managed-settings.json'), machine)
  if (own !== undefined) writeFileSync(join(home, '.claude/settings.json'), own)
  const known = { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true }
  const first = { hasCompletedOnboarding: true, theme: 'dark', projects: { [work]: known } }
  writeFileSync(join(home, '.claude.json'), JSON.stringify(first))
  writeFileSync(
    at('run.sh'),
    `mount --bind ${etc} /etc
cd ${work}
export HOME=${home} PATH=${dirname(process.execPath)}:$PATH BROWSER=/bin/true
export DISABLE_AUTOUPDATER=1 CLAUDE_CODE_NO_FLICKER=1
unset ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL
exec ${CLAUDE_BINARY}
`,
  )
  return at('run.sh')
}
