/** Text that is no text: it must not be written, and where it is there already it must not end the process. */
import { join } from 'node:path'
import { createClient } from '@libsql/client'
import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openFile } from '../../adapters/drivers/storage/libsql.ts'
import { auditRow, COMMAND_LINE } from '../../core/audit/record.ts'
import { migrate } from '../../core/db/migrate.ts'
import { migrations } from '../../core/db/migrations.gen.ts'
import { applications, auditEvents, usageHourly, usageLogs, usageSums, users } from '../../core/db/schema.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import type { OpenedStore } from '../support/memory-store.ts'
import { callRecord } from '../support/records.ts'
import { STORES, temporaryFolder } from '../support/stores.ts'

/** "a", a lone surrogate as bytes, "b". */
const SURROGATE = "cast(x'61eda08062' as text)"
const HEALED = 'a\ufffdb'

describe.each(Object.entries(STORES))('text on %s', (_name, open) => {
  let store: OpenedStore
  beforeEach(async () => {
    store = await open()
  })
  afterEach(() => store.close())

  test('is made well-formed before it is written, whoever brings the record', async () => {
    const model = 'a\ud800b'
    const records = [
      callRecord({ model, requestedModel: `${model}\0`, extra: '{"x":"\\ud800"}' }),
      callRecord({ model: 'plain' }),
    ]
    await writeRecords(store.db, records.map(recordText))
    const rows = await store.db.select().from(usageLogs)
    expect(rows.map((row) => [row.model, row.requestedModel, row.extra])).toEqual([
      [HEALED, `${HEALED}\ufffd`, '{"x":"\\ud800"}'],
      ['plain', 'claude-opus-5-5', null],
    ])
  })

  test('is made well-formed in the audit', async () => {
    const event = {
      actor: COMMAND_LINE,
      at: 1,
      action: 'backend.disabled',
      target: 'model:a\ud800b',
      after: { reason: '\udc00' },
    } as const
    await auditRow(store.db, event)
    const [row] = await store.db.select().from(auditEvents)
    expect([row?.target, row?.after]).toEqual([`model:${HEALED}`, '{"reason":"\ufffd"}'])
  })

  test('is healed by a migration, in the log and in the sums', async () => {
    const { db } = store
    const long = 'é'.repeat(300)
    const models = ['odd', 'odder', 'long', 'healthy \ufffd']
    await writeRecords(
      db,
      models.map((model) => recordText(callRecord({ model, requestedModel: model }))),
    )
    for (const table of ['usage_logs', 'usage_sums', 'usage_hourly']) {
      const change = (to: string, from: string) =>
        db.run(sql.raw(`update ${table} set model = ${to} where model = '${from}'`))
      await change(SURROGATE, 'odd')
      await change("cast(x'61edb7bf62' as text)", 'odder')
      await change(`'${long}'`, 'long')
    }
    await db.run(
      sql.raw(`update usage_logs set requested_model = ${SURROGATE} where requested_model = 'odd'`),
    )
    const healing = migrations.find(({ name }) => name.includes('readable_text'))
    for (const statement of healing?.statements ?? []) await db.run(sql.raw(statement))

    const logs = await db.select().from(usageLogs)
    const expected = [HEALED, HEALED, long.slice(0, 256), 'healthy \ufffd']
    expect(logs.map(({ model }) => model)).toEqual(expected)
    expect(logs.map(({ requestedModel }) => requestedModel)).toEqual([HEALED, ...models.slice(1)])
    const requests = (rows: { model: string; requests: number }[]) =>
      Object.fromEntries(rows.map((row) => [row.model, row.requests]))
    const sums = { [HEALED]: 2, [long.slice(0, 256)]: 1, 'healthy \ufffd': 1 }
    expect(requests(await db.select().from(usageHourly))).toEqual(sums)
    expect(requests(await db.select().from(usageSums).where(sql`cut = 'full_day'`))).toEqual(sums)
  })
})

describe('a file whose text is no text', () => {
  const BAD = ['eda080', 'edbfbf', 'ff', '80', 'e282', 'c0af', 'f8888080', '610062', 'f4908080']

  test('is healed before anything is read, whoever wrote it', async () => {
    const folder = temporaryFolder()
    const path = join(folder.path, 'gateway.db')
    const first = await openFile(path)
    await migrate(first.db)
    await writeRecords(
      first.db,
      BAD.map((hex) => recordText(callRecord({ model: hex, extra: hex }))),
    )
    await first.close()
    // Once opened and closed, so that only what came since is looked at.
    for (const reopened of [await openFile(path)]) await reopened.close()

    const other = createClient({ url: `file:${path}` })
    const bad = (hex: string) => `cast(x'${hex}' as text)`
    for (const hex of BAD) {
      await other.executeMultiple(`
        insert into users (itcode, name, role, status, created_at, updated_at)
          values (${bad(hex)}, 'Ünïcode ${hex}', 'user', 'active', 1, 1);
        insert into applications (user_id, model, reason, status, created_at, updated_at)
          values (1, 'm', ${bad(hex)}, 'rejected', 1, 1);
        insert into audit_events (at, action, target, before) values (1, 'x', ${bad(hex)}, ${bad(hex)});
        update usage_sums set model = ${bad(hex)} where model = '${hex}';`)
    }
    await other.executeMultiple(`
      insert into usage_logs (request_id, user_id, api_key_id, requested_model, model, backend, input_tokens,
        output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, status_code,
        outcome, estimated, unpriced, stream, attempts, latency_ms, created_at)
      select request_id || 'x', user_id, api_key_id, requested_model, cast(x'ff' as text), ${bad('eda080')},
        input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros,
        status_code, outcome, estimated, unpriced, stream, attempts, latency_ms, created_at from usage_logs`)
    other.close()

    const { db, close } = await openFile(path)
    expect(await migrate(db)).toEqual([])
    const people = await db.select().from(users)
    expect(people).toHaveLength(BAD.length)
    expect(people.map(({ name }) => name)).toEqual(BAD.map((hex) => `Ünïcode ${hex}`))
    const texts = [
      ...people.map(({ itcode }) => itcode),
      ...(await db.select().from(applications)).map(({ reason }) => reason),
      ...(await db.select().from(auditEvents)).flatMap(({ target, before }) => [target, before ?? '']),
      ...(await db.select().from(usageLogs)).flatMap(({ model, backend }) => [model, backend]),
      ...(await db.select().from(usageSums)).map(({ model }) => model),
    ]
    expect(texts.filter((text) => !text.isWellFormed() || text.includes('\0'))).toEqual([])
    expect(await db.select().from(usageLogs).where(sql`model = ${'\ufffd'}`)).toHaveLength(BAD.length)
    await close()
    folder.remove()
  })
})
