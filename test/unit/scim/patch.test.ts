import { describe, expect, test } from 'vitest'
import { groupChangeOf } from '../../../core/scim/member-changes.ts'
import { type GivenOperation, operationsIn } from '../../../core/scim/operations.ts'
import { patched } from '../../../core/scim/patch.ts'
import { projected } from '../../../core/scim/projection.ts'

const WORK = { type: 'work', value: 'a@corp.test', primary: true }
const BEFORE = { userName: 'a', name: { givenName: 'A', familyName: 'B' }, emails: [WORK] }
const patchedBy = (...operations: GivenOperation[]) => patched(BEFORE, operationsIn(operations))

describe('a PATCH of a person', () => {
  test('replaces and adds parts of what is there, and leaves the rest', () => {
    expect(patchedBy({ op: 'Replace', path: 'NAME.GIVENNAME', value: 'C' })).toEqual({
      ...BEFORE,
      name: { givenName: 'C', familyName: 'B' },
    })
    expect(patchedBy({ op: 'add', value: { name: { middleName: 'M' } } }).name).toEqual({
      ...BEFORE.name,
      middleName: 'M',
    })
    expect(
      patchedBy({ op: 'add', path: 'title', value: 'x' }, { op: 'replace', value: { TITLE: 'y' } }).title,
    ).toBe('y')
  })

  test('adds values once, and of several primary ones the new one is', () => {
    expect(patchedBy({ op: 'add', path: 'emails', value: [WORK] }).emails).toEqual([WORK])
    const home = { type: 'home', value: 'h', primary: true }
    expect(patchedBy({ op: 'add', path: 'emails', value: home }).emails).toEqual([
      { ...WORK, primary: false },
      home,
    ])
    expect(patchedBy({ op: 'replace', path: 'emails', value: [home] }).emails).toEqual([home])
  })

  test('changes what meets a filter, or makes what it describes', () => {
    expect(patchedBy({ op: 'replace', path: 'emails[type eq "work"].value', value: 'b' }).emails).toEqual([
      { ...WORK, value: 'b' },
    ])
    expect(patchedBy({ op: 'add', path: 'emails[type eq "home"].value', value: 'h' }).emails).toEqual([
      WORK,
      { type: 'home', value: 'h' },
    ])
    expect(
      patchedBy({ op: 'replace', path: 'emails[type eq "work"]', value: { value: 'c' } }).emails,
    ).toEqual([{ value: 'c' }])
    expect(patchedBy({ op: 'add', path: 'emails[type eq "work"]', value: { display: 'd' } }).emails).toEqual([
      { ...WORK, display: 'd' },
    ])
  })

  test('removes attributes, parts and values; no value is the same as removing', () => {
    expect(patchedBy({ op: 'remove', path: 'name' }).name).toBe(undefined)
    expect(patchedBy({ op: 'remove', path: 'name.givenName' }).name).toEqual({ familyName: 'B' })
    expect(patchedBy({ op: 'replace', path: 'name.givenName', value: null }).name).toEqual({
      familyName: 'B',
    })
    expect(patchedBy({ op: 'remove', path: 'emails[type eq "home"]' }).emails).toEqual([WORK])
    expect(patchedBy({ op: 'remove', path: 'emails[type eq "work"]' }).emails).toBe(undefined)
    expect(patchedBy({ op: 'remove', path: 'emails[type eq "work"].primary' }).emails).toEqual([
      { type: 'work', value: 'a@corp.test' },
    ])
    expect(patchedBy({ op: 'remove', path: 'emails', value: [{ value: 'a@corp.test' }] }).emails).toBe(
      undefined,
    )
  })

  test('leaves the resource that it began with as it was', () => {
    const before = structuredClone(BEFORE)
    patchedBy(
      { op: 'replace', path: 'emails[type eq "work"].value', value: 'b' },
      { op: 'remove', path: 'name.givenName' },
    )
    expect(BEFORE).toEqual(before)
  })
})

test('a PATCH of a group tells who joins and who leaves, by the last word of each', () => {
  const change = groupChangeOf(
    operationsIn([
      { op: 'replace', value: { id: '9', displayName: 'G', externalId: 'e', members: [{ value: '1' }] } },
      { op: 'add', path: 'members', value: [{ value: '2' }, '3'] },
      { op: 'remove', path: 'members[value eq "3" or value eq "4"]' },
      { op: 'Remove', path: 'members', value: [{ value: '5' }] },
    ]),
  )
  expect(change).toEqual({
    displayName: 'G',
    externalId: 'e',
    only: new Set(['1']),
    add: new Set(['2']),
    remove: new Set(['3', '4', '5']),
  })
})

describe('what is answered', () => {
  const resource = { id: '1', schemas: ['s'], userName: 'a', name: BEFORE.name, emails: [WORK] }
  test.each([
    [{}, resource],
    [{ attributes: 'emails.value' }, { id: '1', schemas: ['s'], emails: [{ value: 'a@corp.test' }] }],
    [{ attributes: ' name , nothing' }, { id: '1', schemas: ['s'], name: BEFORE.name }],
    [
      { excludedAttributes: 'emails,name.givenName,schemas' },
      { id: '1', schemas: ['s'], userName: 'a', name: { familyName: 'B' } },
    ],
  ])('%j', (projection, answered) => {
    expect(projected(resource, projection)).toEqual(answered)
  })
})
