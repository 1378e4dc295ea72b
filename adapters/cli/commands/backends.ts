/** Commands about backends: those of the configuration file, and those that are stored in the database. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import * as z from 'zod'
import { backendFrom } from '../../../config/backends.ts'
import type { Config } from '../../../config/schema.ts'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { addBackend, removeBackend } from '../../../core/backends/manage-stored.ts'
import { tryOut } from '../../../core/backends/try-out.ts'
import { withoutUser } from '../../../core/backends/view.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import type { Db } from '../../../core/ports.ts'
import { createSecretBox } from '../../../core/secrets/box.ts'
import { CHAINS } from '../../drivers/credentials/chains.ts'
import { undiciUpstream } from '../../drivers/upstream/undici.ts'
import { createFleetReader } from '../../shared/fleet.ts'
import { hostLookup } from '../../shared/host-lookup.ts'
import { command } from '../command.ts'

const Settings = z.record(z.string(), z.unknown())

export const BACKENDS = [
  command({
    name: 'backend list',
    about: 'lists all backends: those of the configuration file, and those that are stored beside them',
    async run({ db, config }) {
      const { fleet, found } = await fleetOf(config, db)
      const rows = found.config.backends.map((one) => {
        const { name, kind, url, models, weight, priority, enabled, proxy } = backendFrom(one)
        const source = fleet.fileNames.has(name) ? 'file' : 'api'
        return {
          ...{ name, source, type: kind, enabled, weight, priority, problem: null, url },
          proxy: proxy === undefined ? null : withoutUser(proxy),
          models: models.length > 0 ? models : null,
        }
      })
      const none = { enabled: null, weight: null, priority: null, url: null, proxy: null, models: null }
      const broken = fleet
        .unused()
        .map(({ name, problem }) => ({ name, source: 'api', type: null, ...none, problem }))
      return { rows: [...rows, ...broken], none: 'There are no backends.', wide: ['models', 'url'] }
    },
  }),
  command({
    name: 'backend add',
    about:
      'stores a backend, which a running gateway uses within a second. Standard input has its settings as YAML, as one of `backends` in the configuration file',
    async run({ db, config }) {
      const given = Settings.safeParse(yamlOf(readFileSync(0, 'utf8')))
      if (!given.success) throw new Refusal('body_invalid', 'Settings are expected, as "name: value" lines.')
      const name = await addBackend(await partsOf(config, db), given.data)
      return { said: `The backend ${name} is stored.`, fields: { name } }
    },
  }),
  command({
    name: 'backend remove',
    args: ['NAME'],
    about: 'removes a stored backend; calls in flight go on to their end',
    async run({ db, config, args: [name = ''] }) {
      await removeBackend(await partsOf(config, db), name)
      return { said: `The backend ${name} is removed.`, fields: { name } }
    },
  }),
  command({
    name: 'backend test',
    args: ['NAME'],
    about: 'tries a backend: its credentials, its list of models, and a call of one token, which it costs',
    async run({ db, config, args: [name = ''] }) {
      const { found } = await fleetOf(config, db)
      const one = found.config.backends.find((backend) => backend.name === name)
      if (!one) throw new Refusal('body_invalid', `There is no backend ${name}.`)
      const upstream = undiciUpstream(process.env.NO_PROXY ?? process.env.no_proxy)
      try {
        const parts = { upstream, clock: systemClock, credentialsOf: found.credentialsOf }
        return { rows: (await tryOut(parts, backendFrom(one))).map((step) => ({ ...step })), none: '' }
      } finally {
        await upstream.close()
      }
    },
  }),
]

function yamlOf(text: string): unknown {
  try {
    return parse(text)
  } catch {
    return undefined
  }
}

async function fleetOf(config: Config, db: Db) {
  const fleet = createFleetReader(config, {
    ...{ db, clock: systemClock, platform: CHAINS, hasProxies: true, waitUntil: () => {} },
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  })
  const found = await fleet.look()
  if (!found) throw new Error('The first look at the backends finds them all.')
  return { fleet, found }
}

async function partsOf(config: Config, db: Db) {
  const { fleet } = await fleetOf(config, db)
  const secrets = config.secrets.key ? createSecretBox(config.secrets.key) : undefined
  return { db, clock: systemClock, actor: COMMAND_LINE, secrets, fleet, lookup: hostLookup }
}
