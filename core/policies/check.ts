/**
 * Whether a document is what Claude Code takes as managed settings, as far as its settings reference says
 * (https://code.claude.com/docs/en/settings). What is not known is warned of and not refused, because newer releases know more.
 */
import { isRecord } from '../json/is-record.ts'
import { type Problem, type ProblemCode, problem } from '../problems.ts'
import { availableIn, isAvailable } from './available-models.ts'
import type { ManagedSettings } from './merge.ts'

const LONGEST = 100_000
/** The model that Claude Code begins with at a gateway unless it is told another. */
const DEFAULT_MODEL = 'claude-opus-4-7'

type Kind = 'boolean' | 'string' | 'number' | 'list' | 'map'
/** Keys of the settings reference by what they hold. */
const KNOWN: Readonly<Record<Kind, string>> = {
  boolean: `allowManagedHooksOnly allowManagedMcpServersOnly allowManagedPermissionRulesOnly alwaysThinkingEnabled autoMemoryEnabled
    channelsEnabled disableAllHooks disableAutoMode disableSkillShellExecution enableAllProjectMcpServers enforceAvailableModels
    fastMode fastModePerSessionOptIn forceRemoteSettingsRefresh includeCoAuthoredBy includeGitInstructions prefersReducedMotion
    respectGitignore showClearContextOnPlanAccept showThinkingSummaries skipDangerousModePermissionPrompt skipWebFetchPreflight
    spinnerTipsEnabled strictPluginOnlyCustomization terminalProgressBarEnabled useAutoModeDuringPlan`,
  string: `$schema advisorModel agent apiKeyHelper autoUpdatesChannel awsAuthRefresh awsCredentialExport defaultShell effortLevel
    forceLoginGatewayUrl forceLoginMethod language minimumVersion model otelHeadersHelper outputStyle parentSettingsBehavior
    plansDirectory pluginTrustMessage`,
  number: 'cleanupPeriodDays feedbackSurveyRate',
  list: `allowedChannelPlugins allowedHttpHookUrls allowedMcpServers availableModels blockedMarketplaces claudeMdExcludes
    companyAnnouncements deniedMcpServers disabledMcpjsonServers enabledMcpjsonServers gatewayInternalNetworks
    httpHookAllowedEnvVars`,
  map: `attribution autoMode desktop enabledPlugins env extraKnownMarketplaces fileSuggestion hooks modelOverrides permissions
    sandbox skillOverrides spinnerTipsOverride spinnerVerbs statusLine worktree`,
}
const KINDS = new Map(
  Object.entries(KNOWN).flatMap(([kind, names]) =>
    names.split(/\s+/).map((name) => [name, kind as Kind] as const),
  ),
)
const EXPECTED: Readonly<Record<Kind, ProblemCode>> = {
  boolean: 'boolean',
  string: 'a_text',
  number: 'number',
  list: 'list',
  map: 'object',
}

export interface Checked {
  /** Path of a key → what is wrong with it; the document is refused. */
  problems: Readonly<Record<string, Problem>>
  /** What may surprise people. */
  warnings: readonly Problem[]
}

export function checkSettings(settings: ManagedSettings): Checked {
  const problems: Record<string, Problem> = {}
  const warnings: Problem[] = []
  if (JSON.stringify(settings).length > LONGEST) problems['settings'] = problem('too_long', { n: LONGEST })
  for (const [name, value] of Object.entries(settings)) {
    const kind = KINDS.get(name)
    if (name === 'mcpServers') problems[name] = problem('no_servers')
    else if (kind === undefined) warnings.push(problem('setting_not_known', { name }))
    else if (!holds(kind, value)) problems[name] = problem(EXPECTED[kind])
  }
  for (const list of ['allow', 'ask', 'deny']) {
    const { permissions } = settings
    const rules = isRecord(permissions) ? permissions[list] : undefined
    if (rules !== undefined && !isTexts(rules)) problems[`permissions.${list}`] = problem('texts')
  }
  const { env } = settings
  if (isRecord(env) && !isTexts(Object.values(env))) problems['env'] = problem('text_values')
  return { problems, warnings: [...warnings, ...lockedOut(settings)] }
}

/** A list without the model that Claude Code begins with refuses everybody's first request, unless it is told another. */
function lockedOut(settings: ManagedSettings): Problem[] {
  const available = availableIn(settings)
  if (!available || settings['enforceAvailableModels'] === true) return []
  if (available.length === 0) return [problem('no_model_available')]
  const { model } = settings
  const first = typeof model === 'string' ? model : DEFAULT_MODEL
  if (isAvailable(available, first, first)) return []
  return [problem('first_model_left_out', { model: first })]
}

function holds(kind: Kind, value: unknown): boolean {
  if (kind === 'list') return Array.isArray(value)
  if (kind === 'map') return isRecord(value)
  return typeof value === kind
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
