/** The command that prints what puts Claude Code in touch with the gateway. */
import { settingsFrom } from '../../../config/settings.ts'
import { systemClock } from '../../../core/clock.ts'
import { clientSettings } from '../../../core/devices/client-settings.ts'
import { createSignInProblem } from '../../../core/devices/private-address.ts'
import { Refusal } from '../../../core/errors.ts'
import { sha256 } from '../../drivers/sha256.ts'
import { hostLookup } from '../../shared/host-lookup.ts'
import { configCommand } from '../command.ts'

export const CLIENT_SETTINGS = [
  configCommand({
    name: 'client-settings',
    args: ['[PLATFORM]'],
    about:
      'prints what puts Claude Code on machines in touch with this gateway; with a platform that file alone',
    async run(config, [platform]) {
      const { publicUrl } = settingsFrom(config)
      if (publicUrl === '')
        throw new Refusal('body_invalid', 'Set server.public_url first: clients need an address.')
      const all = clientSettings(publicUrl, sha256)
      const chosen = platform === undefined ? all : all.filter(({ id }) => id === platform)
      if (chosen.length === 0) {
        throw new Refusal('not_found', `Choose one of ${all.map(({ id }) => id).join(', ')}.`)
      }
      const warning = await createSignInProblem(publicUrl, { clock: systemClock, lookup: hostLookup })()
      const [only] = chosen
      const said =
        platform !== undefined && only
          ? only.content.replace(/\n$/, '')
          : chosen.map(({ id, place, content }) => `# ${id}: ${place}\n${content}`).join('\n')
      const fields = { settings: chosen.map((one) => ({ ...one })), warning: warning ?? null }
      return { said, fields, ...(warning === undefined ? {} : { note: `Note: ${warning}` }) }
    },
  }),
]
