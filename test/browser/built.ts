/** Vitest's global setup: the site as it is now. */
import { execFileSync } from 'node:child_process'

export default function buildSite() {
  if (process.env.BUILT) return
  execFileSync('npm', ['run', '--silent', 'build:site'], { stdio: ['ignore', 'ignore', 'inherit'] })
}
