import { describe, expect, test } from 'vitest'
import { equals, matches, parseFilter } from '../../../core/scim/filter.ts'

const ANN = {
  id: '7',
  externalId: 'AbC',
  userName: 'Ann@corp.test',
  active: true,
  age: 40,
  name: { familyName: 'Lee' },
  emails: [
    { type: 'work', value: 'ann@corp.test', primary: true },
    { type: 'home', value: 'ann@home.test' },
  ],
  tags: ['red', 'blue'],
  empty: '',
  'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User': { department: 'Sales' },
}

describe('a filter', () => {
  test.each([
    ['userName eq "ann@CORP.test"', true],
    ['USERNAME EQ "ann@corp.test"', true],
    ['urn:ietf:params:scim:schemas:core:2.0:User:userName eq "ann@corp.test"', true],
    ['urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "sales"', true],
    ['externalId eq "abc"', false],
    ['externalId eq "AbC"', true],
    ['userName ne "ben"', true],
    ['userName ne "ann@corp.test"', false],
    ['nothing ne "x"', true],
    ['userName co "corp"', true],
    ['userName sw "ann"', true],
    ['userName ew "test"', true],
    ['userName sw "corp"', false],
    ['active eq true', true],
    ['active eq "False"', false],
    ['age gt 39', true],
    ['age gt 40', false],
    ['age ge 40', true],
    ['age le 40', true],
    ['age lt 40', false],
    ['userName gt "a"', true],
    ['nothing pr', false],
    ['empty pr', false],
    ['name.familyName pr', true],
    ['nothing eq null', true],
    ['userName eq null', false],
    ['emails eq "ann@home.test"', true],
    ['emails.type eq "home"', true],
    ['tags eq "blue"', true],
    ['tags.value eq "blue"', true],
    ['emails[type eq "home" and value co "corp"]', false],
    ['emails[type eq "work" and value co "corp"]', true],
    ['emails[type eq "home"].value eq "ann@corp.test"', false],
    ['emails[type eq "work"].value eq "ann@corp.test"', true],
    ['not (active eq true) or age eq 40', true],
    ['active eq true and not (age eq 40)', false],
    ['userName eq "x" or userName sw "ann" and active eq false', false],
    ['(userName eq "x" or userName sw "ann") and active eq true', true],
    ['userName eq "a\\"b"', false],
  ])('%s', (text, met) => {
    expect(matches(parseFilter(text), ANN)).toBe(met)
  })

  test('tells what must be equal, for an index', () => {
    const wanted = (text: string) => equals(parseFilter(text), 'userName')
    expect(wanted('userName eq "a"')).toEqual(['a'])
    expect(wanted('active eq true and userName eq "a"')).toEqual(['a'])
    expect(wanted('userName eq "a" or userName eq "b"')).toEqual(['a', 'b'])
    expect(wanted('userName eq "a" or active eq true')).toBe(undefined)
    expect(wanted('not (userName eq "a")')).toBe(undefined)
    expect(wanted('userName ne "a"')).toBe(undefined)
  })
})
