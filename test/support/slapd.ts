/** A real LDAP server (Debian's slapd) on a free port, with people and groups. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'ldapts'
import { freePort } from './ports.ts'

const SLAPD = '/usr/sbin/slapd'
export const HAS_SLAPD = existsSync(SLAPD)
const BASE = 'dc=corp,dc=test'
const ROOT = `cn=admin,${BASE}`
const ROOT_PASSWORD = 'of the root of a test'

export interface LdapServer {
  /** The section `ldap` of a configuration. */
  config: object
  /** Does something as the administrator of the directory. */
  change(act: (client: Client) => Promise<unknown>): Promise<void>
  dnOf(uid: string): string
  stop(): Promise<void>
}

const CONF = (folder: string) => `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
database mdb
suffix "${BASE}"
rootdn "${ROOT}"
rootpw "${ROOT_PASSWORD}"
directory ${folder}/data
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
`

/** Throws when there is no slapd: a run of everything must not pass without it. */
export async function startSlapd(): Promise<LdapServer> {
  if (!HAS_SLAPD) throw new Error('There is no slapd: apt-get install slapd')
  const folder = mkdtempSync(join(tmpdir(), 'slapd-'))
  mkdirSync(join(folder, 'data'))
  writeFileSync(join(folder, 'slapd.conf'), CONF(folder))
  const port = await freePort()
  const url = `ldap://127.0.0.1:${port}`
  const child = spawn(SLAPD, ['-f', join(folder, 'slapd.conf'), '-h', `${url}/`, '-d', '0'], {
    stdio: 'ignore',
  })
  const change: LdapServer['change'] = async (act) => {
    const client = new Client({ url })
    try {
      await client.bind(ROOT, ROOT_PASSWORD)
      await act(client)
    } finally {
      await client.unbind()
    }
  }
  for (let tries = 0; ; tries++) {
    try {
      await change(fill)
      break
    } catch (cause) {
      if (tries > 100) throw cause
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  return {
    config: {
      url,
      label: 'Corp',
      bind_dn: `cn=reader,${BASE}`,
      bind_password: 'of a reader 7',
      base_dn: BASE,
      user_filter: '(&(objectClass=inetOrgPerson)(uid={name})(!(employeeType=gone)))',
    },
    change,
    dnOf: (uid) => `uid=${uid},${BASE}`,
    async stop() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      rmSync(folder, { recursive: true })
    },
  }
}

async function fill(client: Client) {
  await client.add(BASE, { objectClass: ['dcObject', 'organization'], dc: 'corp', o: 'Corp' })
  const reader = {
    objectClass: ['organizationalRole', 'simpleSecurityObject'],
    userPassword: 'of a reader 7',
  }
  await client.add(`cn=reader,${BASE}`, { ...reader, cn: 'reader' })
  for (const [uid, name] of [
    ['ann', 'Ann Lee'],
    ['bob(1)*', 'Bob Ray'],
  ] as const) {
    await client.add(`uid=${uid},${BASE}`, {
      objectClass: 'inetOrgPerson',
      uid,
      cn: name,
      sn: name.split(' ')[1] ?? '',
      mail: `${name.split(' ')[0]}@Corp.Test`,
      userPassword: `password of ${uid}`,
    })
  }
  await client.add(`cn=research,${BASE}`, {
    objectClass: 'groupOfNames',
    cn: 'research',
    member: `uid=ann,${BASE}`,
  })
}
