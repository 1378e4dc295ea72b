import { describe, expect, test } from 'vitest'
import { settingsFrom } from '../../../config/settings.ts'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { systemClock } from '../../../core/clock.ts'
import { assertKnown, readPresent, runStep } from '../../../core/organisation/apply.ts'
import { planOf } from '../../../core/organisation/plan.ts'
import { lineOf } from '../../../core/organisation/plan-text.ts'
import { Wanted } from '../../../core/organisation/wanted.ts'
import { memoryStore } from '../../support/memory-store.ts'
import { load, MINIMAL } from '../config/settings.ts'

const FILE = {
  organisation: { each: { monthly: 100 }, pool: { monthly: 10_000, daily: 'unlimited' } },
  groups: [
    {
      name: 'Web',
      parent: 'Engineering',
      members: ['Ann@Corp.test'],
      leads: ['ben@corp.test'],
      limits: { pool: { monthly: 500 } },
    },
    { name: 'Engineering', priority: 5, models: { allow: ['claude-opus-*'] }, lead_max_usd: 50 },
    { name: 'Testers', bills: false, tokens_per_minute: 5000, members: ['ann@corp.test'] },
  ],
  people: [
    { itcode: 'ann@corp.test', name: 'Ann', limits: { monthly: 20.5, weekly: 0 }, billing_group: 'Web' },
    { itcode: 'ben@corp.test', role: 'auditor' },
    { itcode: 'robot', kind: 'service', billing_group: 'Web', status: 'disabled' },
  ],
}

async function organisation() {
  const { db, close } = await memoryStore()
  const parts = { db, clock: systemClock, actor: COMMAND_LINE, settings: settingsFrom(load(MINIMAL)) }
  const plan = async (file: object) => {
    const wanted = Wanted.parse(file)
    const present = await readPresent(db)
    assertKnown(present, wanted)
    return planOf(present, wanted)
  }
  return {
    close,
    lines: async (file: object) => (await plan(file)).map(lineOf),
    async apply(file: object) {
      for (const step of await plan(file)) await runStep(parts, step)
    },
  }
}

describe('a file that describes an organisation', () => {
  test('shows what is missing, in an order in which it can be done', async () => {
    const { lines, close } = await organisation()
    expect(await lines(FILE)).toEqual([
      '+ user ann@corp.test: name Ann',
      '+ user ben@corp.test: role auditor',
      '+ group Engineering: priority 5, lead max $50',
      '~ group Engineering: allow none → claude-opus-*, deny none',
      '+ group Testers: bills false, tokens per minute 5000',
      '+ group Web: parent Engineering',
      '+ user robot: kind service, status disabled, billing group Web',
      '+ group Testers: ann@corp.test as member',
      '+ group Web: ann@corp.test as member',
      '+ group Web: ben@corp.test as lead',
      '~ user ann@corp.test: billing group none → Web',
      '+ organisation: monthly limit of each: $100',
      '+ organisation: daily pool: unlimited',
      '+ organisation: monthly pool: $10000',
      '+ group Web: monthly pool: $500',
      '+ user ann@corp.test: weekly limit: $0',
      '+ user ann@corp.test: monthly limit: $20.5',
    ])
    await close()
  })
  test('changes nothing the second time', async () => {
    const { lines, apply, close } = await organisation()
    await apply(FILE)
    expect(await lines(FILE)).toEqual([])
    await close()
  })
  test('leaves what it does not name, and completes what it names', async () => {
    const { lines, apply, close } = await organisation()
    await apply(FILE)
    expect(await lines({ groups: [{ name: 'Web', limits: {}, priority: 7 }] })).toEqual([
      '~ group Web: priority 100 → 7',
    ])
    const next = {
      groups: [
        { name: 'Web', parent: null, members: ['ben@corp.test'], limits: { pool: { weekly: 5 } } },
        { name: 'Engineering', models: { deny: ['*'] } },
      ],
      people: [{ itcode: 'ann@corp.test', limits: { monthly: 'unlimited' } }],
    }
    expect(await lines(next)).toEqual([
      '~ group Web: parent Engineering → none',
      '~ group Engineering: allow claude-opus-* → none, deny none → *',
      '- group Web: ann@corp.test',
      '+ group Web: weekly pool: $5',
      '- group Web: monthly pool: $500',
      '~ user ann@corp.test: monthly limit: $20.5 → unlimited',
      '- user ann@corp.test: weekly limit: $0',
    ])
    await apply(next)
    expect(await lines(next)).toEqual([])
    await close()
  })
  test.each([
    [{ groups: [{ name: 'A', members: ['nobody'] }] }, 'A: there is no user nobody'],
    [{ groups: [{ name: 'A', parent: 'B' }] }, 'A: there is no group B'],
    [{ groups: [{ name: 'A' }, { name: 'A' }] }, 'A: this group is named twice'],
    [{ people: [{ itcode: 'ann' }, { itcode: 'ANN' }] }, 'ann: this user is named twice'],
    [{ people: [{ itcode: 'ann', billing_group: 'C' }] }, 'ann: there is no group C'],
  ])('%j is refused before anything changes', async (file, why) => {
    const { lines, close } = await organisation()
    await expect(lines(file)).rejects.toThrow(why)
    await close()
  })
  test('does not take fields that nobody knows', () => {
    expect(Wanted.safeParse({ groups: [{ name: 'A', budget: 5 }] }).success).toBe(false)
    expect(Wanted.safeParse({ organisation: { each: { yearly: 5 } } }).success).toBe(false)
  })
})
