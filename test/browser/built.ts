/** Vitest's global setup: the site as it is now. */
import { execFileSync } from 'node:child_process'

export default function buildSite() {
  execFileSync('npm', ['run', '--silent', 'build:site'], { stdio: ['ignore', 'ignore', 'inherit'] })
}
