/** What the facts of a request mean to a person, and what they can do about them. */
import type { RefusalCode } from '../../../../core/errors.ts'
import type { Log, RequestDetail } from '../api/index.ts'
import { duration, exactMoney, money, percent } from '../format.ts'
import { type Key, t } from '../i18n/index.svelte.ts'

type Answer = RequestDetail['attempts'][number]['answer']

/** Programs that have a name of their own; the others are kinds of programs. */
const CLIENTS: ReadonlyMap<string, string> = new Map([
  ['claude-code', 'Claude Code'],
  ['claude-desktop', 'Claude Desktop'],
  ['codex', 'Codex'],
  ['opencode', 'OpenCode'],
  ['cline', 'Cline'],
  ['cursor', 'Cursor'],
  ['zed', 'Zed'],
])
const KINDS: ReadonlyMap<string, Key> = new Map<string, Key>([
  ['account_unreachable', 'call.answer.account_unreachable'],
  ['account_refused', 'call.answer.account_refused'],
  ['account_unpaid', 'call.answer.account_unpaid'],
  ['pair_failed', 'call.answer.pair_failed'],
  ['pair_cooldown', 'call.answer.pair_cooldown'],
  ['model_not_offered', 'call.answer.model_not_offered'],
  ['foreign', 'call.answer.foreign'],
  ['ours', 'call.answer.ours'],
  ['timeout', 'call.answer.timeout'],
  ['client_gone', 'call.answer.client_gone'],
])
const MISSES: ReadonlyMap<string, Key> = new Map<string, Key>([
  ['model_changed', 'call.miss.model_changed'],
  ['system_changed', 'call.miss.system_changed'],
  ['tools_changed', 'call.miss.tools_changed'],
  ['messages_changed', 'call.miss.messages_changed'],
  ['previous_message_not_found', 'call.miss.previous_message_not_found'],
  ['unavailable', 'call.miss.unavailable'],
])
const ERRORS: ReadonlyMap<string, Key> = new Map<RefusalCode, Key>([
  ['all_backends_failed', 'call.trouble.all_backends_failed'],
  ['upstream_timeout', 'call.trouble.upstream_timeout'],
  ['account_unavailable', 'call.trouble.account_unavailable'],
  ['network_unavailable', 'call.trouble.network_unavailable'],
  ['no_backend_available', 'call.trouble.none'],
  ['upstream_refused', 'call.trouble.none'],
  ['internal', 'call.trouble.internal'],
])
/** Of Anthropic: https://platform.claude.com/docs/en/api/errors */
const OVERLOADED = 529

/** The program's own name, or '' where nobody would know it by what is recorded. */
export const nameOfClient = (client: string) => CLIENTS.get(client) ?? ''

/** What an attempt came to, as the end of a sentence that begins with its backend. */
export function wordsOfAnswer(answer: Answer): string {
  if (typeof answer === 'string') return t(KINDS.get(answer) ?? 'call.answer.other', { answer })
  const status = String(answer)
  if (answer < 400) return t('call.answer.ok')
  if (answer === OVERLOADED || answer === 503) return t('call.answer.overloaded', { status })
  if (answer === 429) return t('call.answer.limited', { status })
  return t(answer < 500 ? 'call.answer.refused' : 'call.answer.failed', { status })
}

export function wordsOfMiss(reason: string): string {
  return t(MISSES.get(reason) ?? 'call.miss.other')
}

/** Why a request did not end well, and what to do; '' if it did. */
export function wordsOfTrouble({ outcome, status_code }: Log, error: string): string {
  if (outcome === 'ok') return ''
  if (outcome !== 'error') return t(`call.trouble.${outcome}`)
  const known = ERRORS.get(error)
  if (known) return t(known)
  return error === '' || error === 'upstream_error'
    ? t(troubleOfStatus(status_code))
    : t('call.trouble.code', { code: error })
}

function troubleOfStatus(status: number): Key {
  if (status < 400) return 'call.trouble.late_error'
  if (status === 429) return 'call.trouble.limited'
  if (status === 413) return 'call.trouble.too_large'
  if (status === OVERLOADED || status === 503) return 'call.trouble.overloaded'
  return status < 500 ? 'call.trouble.refused' : 'call.trouble.failed'
}

export const promptOf = (log: Log) => log.total_tokens - log.output_tokens

/** What happened, in one sentence. What is emphasised stands between asterisks. `person`: '' if it is the reader. */
export function sentenceOf({ log, requested_model, attempts }: RequestDetail, person: string): string {
  const { backend, model } = log
  const client = nameOfClient(log.client)
  const asking = `call.asked${person === '' ? '_own' : ''}${client === '' ? '' : '_with'}` as const
  const asked = t(asking, { model: requested_model, client, person })
  const said = [requested_model === model ? asked : t('call.served_as', { asked, model })]
  for (const { backend, answer } of attempts) {
    if (typeof answer === 'string' || answer >= 400) {
      said.push(t('call.tried', { backend, answer: wordsOfAnswer(answer) }))
    }
  }
  if (log.outcome === 'ok') {
    const time = duration(log.ttft_ms ?? log.latency_ms)
    said.push(t('call.answered', { backend, time, cost: costOf(log.cost_usd) }))
    const prompt = promptOf(log)
    if (log.cache_read_tokens > 0) {
      said.push(t('call.of_cache', { share: percent(log.cache_read_tokens / prompt) }))
    }
  } else said.push(t(`call.ended.${log.outcome}`, { backend, time: duration(log.latency_ms) }))
  return said.join(t('overview.between')) + t('overview.full_stop')
}

const costOf = (usd: number) => (usd < 1 ? exactMoney(usd) : money(usd))
