/** What a call costs by the access token of a device, beside one by a key, of one process. */
import * as z from 'zod'
import { startPeople } from '../../support/people.ts'
import { median, quantile } from '../measure.ts'
import { byTurns, type Metrics } from '../rounds.ts'
import type { Scenario } from '../scenario.ts'
import { type Gateway, ofEach, type Stage, type Subject } from '../stage.ts'

const ADDRESS = 'http://gateway.test'
const Asked = z.object({ user_code: z.string(), device_code: z.string() })
const Tokens = z.object({ access_token: z.string() })

/** Signs a person in on a device, and answers its token. */
async function letIn({ gateway }: Gateway, people: Awaited<ReturnType<typeof startPeople>>) {
  const form = async (path: string, fields: Record<string, string>): Promise<unknown> =>
    (await fetch(`${gateway.url}${path}`, { method: 'POST', body: new URLSearchParams(fields) })).json()
  const person = await people.signIn(gateway, 'bench-person')
  const { user_code, device_code } = Asked.parse(await form('/oauth/device_authorization', {}))
  await person.post('/api/device/decide', { user_code, decision: 'approved' })
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
  return Tokens.parse(await form('/oauth/token', { grant_type, device_code })).access_token
}

async function measure(stage: Stage, target: Subject, total: number): Promise<Metrics> {
  let callMs: number[] = []
  const cpu = await stage.cpuOf(target, async () => {
    const done = await stage.load({ kind: 'calls', target, question: 'small', total, parallel: 16 })
    callMs = done.callMs
  })
  return { cpu_us: cpu / total, p50_ms: median(callMs), p99_ms: quantile(callMs, 0.99) }
}

const device: Scenario = {
  about: 'small calls with 16 connections, by the token of a device and by a key of the same gateway',
  ratios: [['device', 'key']],
  async run(stage, { rounds, before, share }) {
    const people = await startPeople(ADDRESS)
    const subject = await stage.startGateway({
      server: { public_url: ADDRESS },
      auth: { send_code_url: people.url, allowed_domains: [] },
    })
    const key = { ...subject }
    const token = { ...subject, key: await letIn(subject, people) }
    const result = await byTurns(
      ofEach({ key, 'key again': key, device: token, 'device again': token }, (target) =>
        measure(stage, target, share(1_500)),
      ),
      { rounds, before: 5 * before },
    )
    await people.stop()
    return result
  },
}

export const DEVICES: Readonly<Record<string, Scenario>> = { device }
