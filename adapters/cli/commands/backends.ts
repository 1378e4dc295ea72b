/** Commands about backends: those of the configuration file, and those that are stored in the database. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import * as z from 'zod'
import { backendFrom } from '../../../config/backends.ts'
import type { Config } from '../../../config/schema.ts'
import { settingsFrom } from '../../../config/settings.ts'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import type { GivenSettings } from '../../../core/backends/fleet.ts'
import { addBackend, changeStoredBackend, removeBackend } from '../../../core/backends/manage-stored.ts'
import { type OwnCall, ownRecord } from '../../../core/backends/own-call.ts'
import { tryOut } from '../../../core/backends/try-out.ts'
import { withoutUser } from '../../../core/backends/view.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import { createPeriods } from '../../../core/limits/period.ts'
import type { Db } from '../../../core/ports.ts'
import { GATEWAY_ID } from '../../../core/reports/gateway-calls.ts'
import { recordText } from '../../../core/reports/stored-record.ts'
import { writeRecords } from '../../../core/reports/write.ts'
import { createSecretBox } from '../../../core/secrets/box.ts'
import { undiciUpstream } from '../../drivers/upstream/undici.ts'
import { hostLookup } from '../../shared/host-lookup.ts'
import { pricesFrom } from '../../shared/tables.ts'
import { command } from '../command.ts'
import { fleetOf } from './fleet.ts'

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
          name,
          source,
          type: kind,
          enabled,
          weight,
          priority,
          problem: null,
          url,
          proxy: proxy === undefined ? null : withoutUser(proxy),
          models: models.length > 0 ? models : null,
        }
      })
      const none = { enabled: null, weight: null, priority: null, url: null, proxy: null, models: null }
      const broken = fleet
        .unused()
        .map(({ name, problem }) => ({ name, source: 'api', type: null, ...none, problem }))
      return {
        rows: [...rows, ...broken],
        columns: [
          'name',
          'source',
          'type',
          'enabled',
          'weight',
          'priority',
          'problem',
          'url',
          'proxy',
          'models',
        ],
        none: 'There are no backends.',
        wide: ['models', 'url'],
      }
    },
  }),
  command({
    name: 'backend add',
    about:
      'stores a backend, which a running gateway uses within a second. Standard input has its settings as YAML, as one of `backends` in the configuration file',
    async run({ db, config }) {
      const { name } = await addBackend(await partsOf(config, db), typedSettings())
      return { said: `The backend ${name} is stored.`, fields: { name } }
    },
  }),
  command({
    name: 'backend change',
    args: ['NAME'],
    about:
      'changes settings of a stored backend. Standard input has them as YAML; null takes one away, others stay. What decides where secrets go is changed together with all of them',
    async run({ db, config, args: [name = ''] }) {
      const parts = await partsOf(config, db)
      if (parts.fleet.fileNames.has(name)) {
        throw new Refusal('conflict', `The configuration file has the backend ${name}. Change it there.`)
      }
      await changeStoredBackend(parts, name, typedSettings())
      return { said: `The backend ${name} is changed.`, fields: { name } }
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
        const { credentialsOf } = found
        const parts = { upstream, clock: systemClock, credentialsOf, book: bookedIn(db, found.config) }
        const steps = await tryOut(parts, backendFrom(one))
        return {
          rows: steps.map(({ step, outcome, message }) => ({ step, outcome, message })),
          columns: ['step', 'outcome', 'message'],
          none: '',
        }
      } finally {
        await upstream.close()
      }
    },
  }),
]

/** Throws a Refusal body_invalid. */
function typedSettings(): GivenSettings {
  const given = Settings.safeParse(yamlOf(readFileSync(0, 'utf8')))
  if (given.success) return given.data
  throw new Refusal('body_invalid', 'Settings are expected, as "name: value" lines.')
}

function yamlOf(text: string): unknown {
  try {
    return parse(text)
  } catch {
    return undefined
  }
}

/** Writes a call to the usage log as the gateway's own, because nobody is signed in here. */
function bookedIn(db: Db, config: Config) {
  const prices = pricesFrom(config)
  const periods = createPeriods(settingsFrom(config).limits.timeZone)
  return async (call: OwnCall) => {
    if (call.status > 0)
      await writeRecords(db, [recordText(ownRecord({ prices, periods }, call, GATEWAY_ID))])
  }
}

async function partsOf(config: Config, db: Db) {
  const { fleet } = await fleetOf(config, db)
  const secrets = config.secrets.key ? createSecretBox(config.secrets.key) : undefined
  return { db, clock: systemClock, actor: COMMAND_LINE, secrets, fleet, lookup: hostLookup }
}
