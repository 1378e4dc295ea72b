/** Messages about backends, models, and people who sign in. */
import { sql } from 'drizzle-orm'
import { timeText } from '../units.ts'
import { both, type Draft, type DraftParts, fact, minute, personName } from './drafts.ts'
import type { NoticeData } from './events.ts'
import { oneLine } from './message.ts'

const BACKENDS = { label: both('Backends', '后端'), path: '/admin/backends' }
const MOST_NAMED = 10

export function backendOut({ backend, state, reason }: NoticeData['backend.out']): Draft {
  return {
    tone: 'bad',
    title: both(`The backend ${backend} takes no calls`, `后端 ${backend} 已停止服务`),
    facts: [fact('backend', backend), fact('state', state), fact('reason', reason)],
    link: BACKENDS,
    data: { backend, state, reason },
  }
}

export function backendBack({ backend }: NoticeData['backend.back']): Draft {
  return {
    tone: 'good',
    title: both(`The backend ${backend} takes calls again`, `后端 ${backend} 已恢复服务`),
    facts: [fact('backend', backend)],
    link: BACKENDS,
    data: { backend },
  }
}

export function creditUsedUp({ backend }: NoticeData['credit.used_up']): Draft {
  return {
    tone: 'bad',
    title: both(
      `The account of the backend ${backend} has no credit left`,
      `后端 ${backend} 的账户余额已用完`,
    ),
    facts: [fact('backend', backend)],
    link: BACKENDS,
    data: { backend },
  }
}

export async function modelRetiring(
  { db }: DraftParts,
  { model, retires_at: at, user_ids: userIds }: NoticeData['model.retiring'],
): Promise<Draft> {
  const names = await Promise.all(userIds.slice(0, MOST_NAMED).map((id) => personName(db, id)))
  const more = userIds.length - names.length
  const users = more > 0 ? `${names.join(', ')} +${more}` : names.join(', ')
  return {
    tone: 'warning',
    title: both(`The model ${model} is about to retire`, `模型 ${model} 即将下线`),
    facts: [fact('model', model), fact('ends', minute(at)), ...(users === '' ? [] : [fact('users', users)])],
    link: { label: both('Models', '模型'), path: '/models' },
    data: { model, retires_at: timeText(at), user_ids: userIds },
  }
}

export function peoplePaused({ count }: NoticeData['people.paused']): Draft {
  return {
    tone: 'bad',
    title: both(
      `The directory refused ${count} people at once; pausing them was stopped`,
      `身份目录同时拒绝了 ${count} 人，已停止暂停账号`,
    ),
    facts: [],
    link: { label: both('People', '人员'), path: '/admin/users' },
    data: { count },
  }
}

export async function identityJoined(
  { db }: DraftParts,
  { user_id: userId, issuer }: NoticeData['identity.joined'],
): Promise<Draft> {
  const who = await personName(db, userId)
  return {
    tone: 'warning',
    title: both(`A new way to sign in was joined to ${who}`, `${who} 新增了一种登录方式`),
    facts: [fact('person', who), fact('method', issuer)],
    link: undefined,
    data: { user_id: userId, issuer },
  }
}

/** Undefined once the device has ended, because there is nothing to end any more. */
export async function deviceCopied(
  { db }: DraftParts,
  { id, ip, reason }: NoticeData['device.copied'],
): Promise<Draft | undefined> {
  const [device] = await db.all<{ name: string; userId: number }>(
    sql`select name, user_id as "userId" from api_keys where id = ${id} and deleted_at is null`,
  )
  if (!device) return undefined
  const name = oneLine(device.name)
  const title =
    reason === 'new_address'
      ? both(
          `Your device ${name} is used from a second address. End it unless both are you`,
          `您的设备 ${name} 正从另一个地址使用。如果不是您本人，请退出该设备`,
        )
      : both(
          `An old sign-in of your device ${name} was tried again. End the device unless it was you`,
          `您的设备 ${name} 的旧登录凭据被再次使用。如果不是您本人，请退出该设备`,
        )
  return {
    tone: 'bad',
    title,
    facts: [fact('device', name), fact('person', await personName(db, device.userId)), fact('address', ip)],
    link: { label: both('Devices', '设备'), path: '/keys' },
    data: { id, ip, reason },
  }
}
