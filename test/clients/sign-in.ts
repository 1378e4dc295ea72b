/** A person lets Claude Code in: at its terminal, and in a browser. */
import type { Page } from 'playwright-core'
import type { House } from '../browser/house.ts'
import type { Terminal } from './terminal.ts'

/** Signs Claude Code in as whoever is signed in on the page. */
export async function signInAt(
  terminal: Terminal,
  { gateway }: House,
  page: Page,
  itcode: string,
): Promise<void> {
  await terminal.shows(/Cloud gateway|\/login/)
  await terminal.enter('/login')
  await terminal.shows(/Enter to connect/)
  await terminal.press('Enter')
  // It asks once on each machine.
  const first = await terminal.shows(/Trust gateway 127\.0\.0\.1\?|[A-Z]{4}-[A-Z]{4}/)
  if (first.includes('Trust gateway')) await terminal.press('Up', 'Enter')
  const asked = await terminal.shows(/[A-Z]{4}-[A-Z]{4}/)
  const code = /[A-Z]{4}-[A-Z]{4}/.exec(asked)?.[0] ?? ''

  await page.goto(`${gateway.url}/device?user_code=${code}`)
  await page.getByText(code).waitFor()
  await page.getByText(/claude-code\/2/).waitFor()
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.getByText('The program is signed in').waitFor()

  await terminal.shows(new RegExp(`Signed in to Cloud gateway as ${itcode}`))
  await terminal.press('Up', 'Enter')
  await terminal.shows(/Connected to Cloud gateway/)
  await terminal.press('Enter')
  await terminal.shows(/Login successful/)
}
