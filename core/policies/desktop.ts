/**
 * What Claude Desktop runs with, made of the policy of Claude Code: only where the policy has `desktop`, whose keys stand over
 * what is derived (https://claude.com/docs/third-party/claude-desktop/configuration).
 */
import { isRecord } from '../json/is-record.ts'
import { availableIn } from './available-models.ts'
import type { ManagedSettings } from './merge.ts'

/** A tool without a rule about how it is used, e.g. WebSearch and not Bash(rm *). */
const TOOL = /^\w+$/

/** Undefined where the policy says nothing of Claude Desktop. */
export function desktopSettings(settings: ManagedSettings): ManagedSettings | undefined {
  const { desktop, permissions, sandbox, env } = settings
  if (!isRecord(desktop)) return undefined
  const derived = {
    inferenceModels: availableIn(settings),
    disabledBuiltinTools: textsAt(permissions, 'deny')?.filter((rule) => TOOL.test(rule)),
    coworkEgressAllowedHosts: textsAt(isRecord(sandbox) ? sandbox['network'] : undefined, 'allowedDomains'),
    otlpEndpoint: isRecord(env) ? env['OTEL_EXPORTER_OTLP_ENDPOINT'] : undefined,
  }
  const told = Object.entries(derived).filter(([, value]) => value !== undefined)
  return { ...Object.fromEntries(told), ...desktop }
}

/** The settings as Claude Code gets them. */
export function withoutDesktop({ desktop: _, ...settings }: ManagedSettings): ManagedSettings {
  return settings
}

function textsAt(holder: unknown, name: string): string[] | undefined {
  const list = isRecord(holder) ? holder[name] : undefined
  return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : undefined
}
