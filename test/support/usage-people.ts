/** People whose usage is looked at: Ann and Bob with a key each, and an administrator. */
import type { CallRecord, Db } from '../../core/ports.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import type { Person } from './people.ts'
import { callRecord } from './records.ts'

/** What a spreadsheet would run, if it were not escaped. */
export const FORMULA = '=HYPERLINK("http://evil.test","x")'
export type UsagePeople = Awaited<ReturnType<typeof usagePeople>>

export async function usagePeople(db: Db, signIn: (itcode: string, role?: 'admin') => Promise<Person>) {
  const [ann, bob, boss] = [await signIn('ann'), await signIn('bob'), await signIn('boss', 'admin')]
  const newKey = async (person: Person, name: string): Promise<number> =>
    (await person.post('/api/keys', { name })).body.key.id
  let annKey = await newKey(ann, FORMULA)
  const bobKey = await newKey(bob, "bob's")
  return {
    ann,
    bob,
    boss,
    bobKey,
    get annKey() {
      return annKey
    },
    /** Another key for Ann, so that a test may delete it. */
    async renewKey() {
      annKey = await newKey(ann, FORMULA)
    },
    write: (records: readonly CallRecord[]) => writeRecords(db, records.map(recordText)),
    ofAnn: (given: Partial<CallRecord> = {}) => callRecord({ userId: ann.id, keyId: annKey, ...given }),
    ofBob: (given: Partial<CallRecord> = {}) =>
      callRecord({ userId: bob.id, keyId: bobKey, backend: 'b', ...given }),
  }
}
