/** What may be wrong with an input, and what may surprise people: one sentence per code, so that a page can say it in its reader's words. */

/** `{name}` stands for a parameter. */
export const PROBLEMS = {
  other: 'something else is expected',
  // What a schema expects.
  required: 'this is needed',
  text: 'text is expected',
  number: 'a number is expected',
  whole: 'a whole number is expected',
  boolean: 'true or false is expected',
  list: 'a list is expected',
  object: 'an object is expected',
  one_of: '{values} is expected',
  too_short: 'at least {n} characters are expected',
  too_long: 'at most {n} characters are expected',
  at_least: 'at least {n} is expected',
  at_most: 'at most {n} is expected',
  too_few: 'at least {n} entries are expected',
  too_many: 'at most {n} entries are expected',
  form: 'a different form is expected',
  unknown_field: 'this field is not known',
  unknown_setting: 'this setting is unknown',
  one_line: 'one line of text is expected',
  no_controls: 'text without control characters is expected',
  time: 'a time such as 2027-01-31T00:00:00Z is expected',
  date: 'a date such as 2027-01-31 is expected',
  budget: '0, or from 0.000001 to 1000000000, is expected',
  network: 'a network such as 10.0.0.0/8 is expected',
  time_zone: 'the name of a time zone such as Asia/Shanghai is expected',
  // What only a decision knows.
  future: 'a time in the future is expected',
  email: 'an e-mail address is expected',
  email_domain: 'an address at a domain that is allowed here is expected',
  account: 'an account name or an e-mail address is expected',
  lookalike: 'a name that cannot be taken for another one is expected, in letters of one script',
  invited_role: 'an invitation that gives rights needs an address, and is for one person',
  one_address: 'at least one address is expected',
  most_addresses: 'at most {n} addresses are expected',
  parent_group:
    'a billing group is expected that is not below this one, with at most {n} levels in all; only billing groups have parents',
  billing_group: 'the id of a billing group is expected',
  kept_groups: 'ids of groups whose members are kept here are expected',
  own_billing_group: 'one of your billing groups is expected',
  service_account: 'the id of an active service account is expected',
  device_end: 'when a device has to sign in again cannot be changed; sign it out instead',
  model_closed: 'this model is not offered here',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a dollar sign before a parameter
  above_limit: 'more than your present limit of ${usd} is expected',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a dollar sign before a parameter
  below_limit: 'at least their present limit of ${usd} is expected, because an approval lowers none',
  no_limit_to_raise: 'they have no limit of this period that could be raised',
  above_lead: 'this is more than a lead of the group may give; ask an administrator',
  metadata_address: 'link-local and metadata addresses are not allowed',
  backend_name: 'a backend keeps its name; remove it and add another one',
  real_secret: 'a real secret is expected, not a placeholder',
  secret_again: 'it is expected again, because this change decides where it goes',
  before_start: 'it is before start_date',
  most_days: 'at most {n} days can be asked for at once',
  most_days_by: 'at most {n} days can be asked for by parts of this length',
  most_rows: 'a file has at most {n} rows: ask for fewer days, or for longer parts of time',
  line_email: 'line {line}: an e-mail address is expected',
  line_name: 'line {line}: the name is too long',
  line_no_controls: 'line {line}: a name without control characters is expected',
  list_group: 'there is no group {name} that is kept here',
  audit_webhook: 'audit is only for webhooks',
  https: 'an https address is expected',
  no_user_in_address: 'an address without a user is expected',
  public_address: 'a public address is expected',
  short_secret: 'a secret of at least {n} characters is expected',
  no_secret: '{kind} has no secret beside its address',
  // Settings of Claude Code.
  no_servers: 'Claude Code takes no servers from managed settings',
  texts: 'a list of texts is expected',
  text_values: 'texts are expected',
  a_text: 'a text is expected',
  setting_not_known: '{name} is not a setting that this gateway knows.',
  no_model_available: 'availableModels is empty: nobody can use any model.',
  first_model_left_out:
    'availableModels leaves out {model}, with which Claude Code begins: set enforceAvailableModels or model.',
  // Steps of trying a backend.
  try_no_token: 'No token could be had with these credentials.',
  try_nothing_to_ask_with: 'There are no credentials to ask with.',
  try_taken: 'They are taken.',
  try_refused: 'It refused the credential ({status}).',
  try_nobody_answered: 'Nothing answered, so nobody could tell.',
  try_models: 'Models that are known: {n}.',
  try_no_list: 'It has no list of models (it answered {status}).',
  try_list_failed: 'No list of models came: {reason}.',
  try_no_model: 'No model is known: neither the settings nor the backend name one.',
  try_served: 'A call of one token to {model} was served.',
  try_served_listed: 'A call of one token to a model of its list was served.',
  try_no_answer: 'No answer came: {reason}.',
  try_callers: 'It refused a call of one token (status {status}).',
  try_account_unreachable: 'It cannot be reached (status {status}).',
  try_account_refused: 'It refused the credential (status {status}).',
  try_account_unpaid: 'The account cannot pay (status {status}).',
  try_pair_failed: 'It failed with this model (status {status}).',
  try_pair_cooldown: 'It asks to wait with this model (status {status}).',
  try_model_not_offered: 'It does not offer this model to the account (status {status}).',
  try_foreign: 'Something in between refused the call, such as a proxy or a firewall (status {status}).',
  try_ours: 'This machine has no network or no room for another connection (status {status}).',
} as const

export type ProblemCode = keyof typeof PROBLEMS
export type Parameters = Readonly<Record<string, string | number>>

export interface Problem {
  code: ProblemCode
  params: Parameters
  /** In English. A schema may have its own. */
  message: string
}

export function problem(code: ProblemCode, params: Parameters = {}): Problem {
  return { code, params, message: filled(PROBLEMS[code], params) }
}

/** A sentence with its {parameters} filled in. */
function filled(sentence: string, params: Parameters): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole))
}

const CODES = new Map<string, ProblemCode>(
  Object.entries(PROBLEMS).map(([code, sentence]) => [sentence, code as ProblemCode]), // its keys are all codes
)

/** The problem of a schema, which carries a sentence alone; undefined for one that is not of this list. */
export function saidBy(message: string): Problem | undefined {
  const code = CODES.get(message)
  return code && problem(code)
}
