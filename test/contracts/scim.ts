/** A directory keeps people and groups by SCIM, whatever runtime the gateway is on: the requests that Okta and Entra send. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type Directory,
  directoryOf,
  ENTERPRISE,
  entraUser,
  oktaUser,
  pushedGroup,
} from '../support/directory.ts'
import { type People, type Person, startPeople } from '../support/people.ts'
import type { Gateway, Runtime } from '../support/runtime.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const ASK = { model: 'claude-haiku-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
const ERROR = 'urn:ietf:params:scim:api:messages:2.0:Error'
const LIST = 'urn:ietf:params:scim:api:messages:2.0:ListResponse'
const SEEN = { timeout: 15_000 }

export function scimContract({ name, start }: Runtime) {
  describe(`a directory on ${name}`, () => {
    let people: People
    let upstream: FakeUpstream
    let gateway: Gateway
    let boss: Person
    let okta: Directory
    let entra: Directory
    let tests = 0
    let ann: string
    beforeAll(async () => {
      people = await startPeople()
      upstream = await startUpstream()
      upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [messageJson()] })
      gateway = await start({
        backends: [{ name: 'a', url: upstream.url }],
        auth: { send_code_url: people.url },
        server: { public_url: '' },
      })
      boss = await people.signIn(gateway, 'chief', 'admin')
      const ask = (path: string, init: RequestInit) => fetch(`${gateway.url}${path}`, init)
      okta = await directoryOf(gateway.db, ask)
      entra = await directoryOf(gateway.db, ask, 'application/json')
    })
    afterAll(async () => {
      await gateway?.stop()
      await upstream?.stop()
      await people?.stop()
    })
    beforeEach(() => {
      tests += 1
      ann = `Ann-${tests}@corp.test`
    })

    const call = async (key: string) => {
      const answer = await gateway.send(ASK, { key })
      await answer.text()
      return answer.status
    }

    test("Okta's test of the service passes, in its order", async () => {
      await okta.post('/Users', oktaUser(`first-${ann}`))
      const list = await okta.get('/Users?count=1&startIndex=1')
      expect(list.status).toBe(200)
      expect(list.body).toMatchObject({
        schemas: [LIST],
        itemsPerPage: 1,
        startIndex: 1,
        totalResults: expect.any(Number),
      })
      const [some] = list.body.Resources
      expect(some).toMatchObject({
        id: expect.any(String),
        name: {},
        userName: expect.any(String),
        active: true,
      })
      expect((await okta.get(`/Users/${some.id}`)).body).toEqual(some)
      expect((await okta.find('Users', 'userName eq "nobody@corp.test"')).total).toBe(0)
      for (const id of ['010101001010101011001010101011', '00919288221112222']) {
        const none = await okta.get(`/Users/${id}`)
        expect([none.status, none.body]).toEqual([
          404,
          { schemas: [ERROR], status: '404', detail: expect.any(String) },
        ])
      }
      expect((await okta.find('Users', `userName eq "${ann}"`)).total).toBe(0)
      const made = await entra.post('/Users', oktaUser(ann))
      expect([made.status, made.headers.get('content-type')]).toEqual([201, 'application/scim+json'])
      expect(made.body).toMatchObject({
        schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
        userName: ann,
        name: { familyName: 'Lee' },
        active: true,
        meta: { resourceType: 'User', location: `/scim/v2/Users/${made.body.id}` },
      })
      expect(made.headers.get('location')).toBe(made.body.meta.location)
      expect(made.text).not.toContain('1mz050nq')
      expect((await okta.get(`/Users/${made.body.id}`)).body).toEqual(made.body)
      const again = await entra.post('/Users', oktaUser(ann))
      expect([again.status, again.body]).toMatchObject([
        409,
        { schemas: [ERROR], status: '409', scimType: 'uniqueness' },
      ])
      expect((await okta.find('Users', `userName eq "${ann.toUpperCase()}"`)).ids).toEqual([made.body.id])
      expect((await okta.get('/Groups')).body).toMatchObject({ Resources: expect.any(Array) })
      const stranger = await fetch(`${gateway.url}/scim/v2/Users`, {
        headers: { authorization: 'non-token' },
      })
      expect([stranger.status, Object(await stranger.json())]).toMatchObject([
        401,
        { schemas: [ERROR], status: '401' },
      ])
    })

    test('Okta changes a person by PUT, and deactivates them by PATCH without a path', async () => {
      const { id } = (await okta.post('/Users', oktaUser(ann))).body
      const { body: before } = await okta.get(`/Users/${id}`)
      const put = await okta.put(`/Users/${id}`, {
        ...before,
        name: { ...before.name, middleName: 'Excited' },
      })
      expect(put.body.name).toEqual({ givenName: `Ann-${tests}`, familyName: 'Lee', middleName: 'Excited' })
      const off = await okta.patch(`/Users/${id}`, { op: 'replace', value: { active: false } })
      expect([off.status, off.body.active]).toEqual([200, false])
      expect((await okta.find('Users', `userName eq "${ann}"`)).ids).toEqual([id])
      expect((await okta.put(`/Users/${id}`, { ...before, active: true })).body.active).toBe(true)
    })

    test("Entra's documented requests for people pass, also active as text", async () => {
      const made = await entra.post('/Users', entraUser(ann))
      const { id } = made.body
      expect([made.status, made.body.externalId]).toEqual([201, `oid-${ann}`])
      expect((await entra.find('Users', `externalId eq "oid-${ann}"`)).ids).toEqual([id])
      expect(
        (await entra.find('Users', `emails[type eq "work"].value eq "${ann.toLowerCase()}"`)).ids,
      ).toEqual([id])
      const changed = await entra.patch(
        `/Users/${id}`,
        { op: 'Replace', path: 'emails[type eq "work"].value', value: `new-${ann}` },
        { op: 'Replace', path: 'name.familyName', value: 'updated' },
        { op: 'Add', path: `${ENTERPRISE}:department`, value: 'Sales' },
        { op: 'Add', path: `${ENTERPRISE}:manager`, value: { value: '17' } },
        { op: 'Add', path: 'addresses[type eq "work"].locality', value: 'Berlin' },
        { op: 'Add', path: 'title', value: '' },
      )
      expect(changed.body).toMatchObject({
        emails: [{ primary: true, type: 'work', value: `new-${ann}` }],
        name: { formatted: 'given family', familyName: 'updated', givenName: 'given' },
        [ENTERPRISE]: { department: 'Sales', manager: { value: '17' } },
        addresses: [{ type: 'work', locality: 'Berlin' }],
      })
      const dotted = { 'name.givenName': 'Anna', [`${ENTERPRISE}:employeeNumber`]: '7' }
      const more = await entra.patch(
        `/Users/${id}`,
        { op: 'Add', value: dotted },
        { op: 'Remove', path: `${ENTERPRISE}:manager` },
      )
      expect(more.body).toMatchObject({
        name: { givenName: 'Anna' },
        [ENTERPRISE]: { department: 'Sales', employeeNumber: '7' },
      })
      expect(more.body[ENTERPRISE].manager).toBe(undefined)
      const renamed = await entra.patch(`/Users/${id}`, {
        op: 'Replace',
        path: 'userName',
        value: `renamed-${ann}`,
      })
      expect(renamed.body.userName).toBe(`renamed-${ann}`)
      for (const [value, active] of [
        ['False', false],
        ['True', true],
        [false, false],
      ]) {
        const answer = await entra.patch(`/Users/${id}`, { op: 'Replace', path: 'active', value })
        expect([answer.status, answer.body.active]).toEqual([200, active])
      }
      expect((await entra.delete(`/Users/${id}`)).status).toBe(204)
      expect((await entra.get(`/Users/${id}`)).status).toBe(404)
      expect((await entra.find('Users', `userName eq "renamed-${ann}"`)).total).toBe(0)
      // Assigned again, the same person comes back.
      const back = await entra.post('/Users', { ...entraUser(`renamed-${ann}`), externalId: `oid-${ann}` })
      expect([back.status, back.body.id]).toEqual([201, id])
    })

    test('groups are pushed and filled as both do', async () => {
      const made = [ann, `b-${ann}`, `c-${ann}`].map(
        async (who) => (await okta.post('/Users', oktaUser(who))).body.id,
      )
      const [a = '', b = '', c = ''] = await Promise.all(made)
      const group = await entra.post(
        '/Groups',
        pushedGroup(`Team ${tests}`, [], { externalId: `g-${tests}` }),
      )
      const { id } = group.body
      expect([group.status, group.body.members]).toEqual([201, []])
      const path = `/Groups/${id}`
      const members = async () =>
        (await okta.get(path)).body.members.map(({ value }: { value: string }) => value).sort()
      const ok = async (...operations: object[]) =>
        expect((await okta.patch(path, ...operations)).status).toBe(204)
      await ok({ op: 'Add', path: 'members', value: [{ $ref: null, value: a }, { value: b }] })
      expect(await members()).toEqual([a, b].sort())
      expect((await entra.find('Groups', `id eq "${id}" and members eq "${a}"`)).total).toBe(1)
      expect((await entra.find('Groups', `id eq "${id}" and members[value eq "${c}"]`)).total).toBe(0)
      await ok({ op: 'Remove', path: 'members', value: [{ $ref: null, value: b }] })
      await ok(
        { op: 'remove', path: `members[value eq "${a}"]` },
        { op: 'add', path: 'members', value: [{ value: c }] },
      )
      expect(await members()).toEqual([c])
      await ok({ op: 'replace', value: { id, displayName: `Crew ${tests}` } })
      await ok({ op: 'replace', path: 'members', value: [{ value: a }, { value: b }] })
      expect(await members()).toEqual([a, b].sort())
      const put = await okta.put(path, pushedGroup(`Crew ${tests}`, [c]))
      expect([put.status, put.body.members]).toMatchObject([200, [{ value: c }]])
      const found = await entra.get(
        `/Groups?excludedAttributes=members&filter=${encodeURIComponent(`displayName eq "CREW ${tests}"`)}`,
      )
      expect(found.body.Resources).toMatchObject([{ id, displayName: `Crew ${tests}` }])
      expect(found.body.Resources[0].members).toBe(undefined)
      await ok({ op: 'remove', path: 'members' })
      expect(await members()).toEqual([])
      expect((await entra.delete(path)).status).toBe(204)
      expect((await entra.get(path)).status).toBe(404)
    })

    test('whom it deactivates can do nothing within a second, and comes back with keys', async () => {
      const { id } = (await okta.post('/Users', oktaUser(ann))).body
      const person = await people.signIn(gateway, ann.toLowerCase())
      expect(String(person.id)).toBe(id)
      const { key } = (await person.post('/api/keys', { name: 'x' })).body.key
      await expect.poll(() => call(key), SEEN).toBe(200)
      await okta.patch(`/Users/${id}`, { op: 'replace', value: { active: false } })
      expect((await person.get('/api/auth/me')).status).toBe(401)
      await expect.poll(() => call(key), SEEN).toBe(403)
      await okta.patch(`/Users/${id}`, { op: 'replace', value: { active: true } })
      await expect.poll(() => call(key), SEEN).toBe(200)
      await boss.put(`/admin/api/users/${id}`, { status: 'disabled' })
      await okta.patch(`/Users/${id}`, { op: 'replace', value: { active: false } })
      await okta.patch(`/Users/${id}`, { op: 'replace', value: { active: true } })
      await expect.poll(() => call(key), SEEN).toBe(403)
    })
  })
}
