/** Steps of a plan as people read them. */
import type { Period } from '../settings.ts'
import { usdOf } from '../units.ts'
import type { LimitOf, Step } from './plan.ts'

/** A step as a line of a difference: `+` adds, `~` changes, `-` removes. */
export function lineOf(step: Step): string {
  switch (step.do) {
    case 'user.create':
      return `+ user ${step.itcode}${fieldsText(step.set)}`
    case 'user.update':
      return `~ user ${step.itcode}${fieldsText(step.set, step.was)}`
    case 'group.create':
      return `+ group ${step.group}${fieldsText(step.set)}`
    case 'group.update':
      return `~ group ${step.group}${fieldsText(step.set, step.was)}`
    case 'group.models':
      return `~ group ${step.group}${fieldsText(step.lists, step.was)}`
    case 'member.set':
      return `${step.was ? '~' : '+'} group ${step.group}: ${step.itcode} as ${step.role}`
    case 'member.remove':
      return `- group ${step.group}: ${step.itcode}`
    case 'limit.set': {
      const was = step.was === undefined ? '' : `${amountText(step.was)} → `
      return `${step.was === undefined ? '+' : '~'} ${limitText(step)}: ${was}${amountText(step.amount)}`
    }
    case 'limit.delete':
      return `- ${limitText(step)}: ${amountText(step.was)}`
  }
}

function limitText({ scope, of, period }: LimitOf & { period: Period }): string {
  const whose = scope.startsWith('organisation')
    ? 'organisation'
    : scope === 'user'
      ? `user ${of}`
      : `group ${of}`
  const kind = scope === 'user' ? 'limit' : scope.endsWith('each') ? 'limit of each' : 'pool'
  return `${whose}: ${period} ${kind}`
}

function amountText(micros: number | null): string {
  return micros === null ? 'unlimited' : `$${usdOf(micros)}`
}

function fieldsText(set: object, was?: object): string {
  const before = new Map(Object.entries(was ?? {}))
  const parts = Object.entries(set).map(([name, value]) => {
    const text = (one: unknown) => (name.endsWith('Micros') ? `$${usdOf(Number(one))}` : valueText(one))
    const [old, now] = [text(before.get(name)), text(value)]
    return `${words(name)} ${before.has(name) && old !== now ? `${old} → ${now}` : now}`
  })
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(' ')
  return value === null ? 'none' : String(value)
}

function words(name: string): string {
  return name.replace(/Micros$/, '').replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}
