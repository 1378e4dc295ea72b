/**
 * What Claude Code 2.1.332 asked the gateway that Anthropic ships with it, from `/login` to a limit that is reached, and what that
 * answered. Ids, times and tokens are others.
 */
const B = 'https://gw.example'

export const DISCOVERY = {
  issuer: B,
  device_authorization_endpoint: `${B}/oauth/device_authorization`,
  token_endpoint: `${B}/oauth/token`,
  revocation_endpoint: `${B}/oauth/revoke`,
  grant_types_supported: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
  response_types_supported: [],
  token_endpoint_auth_methods_supported: ['none'],
  gateway_protocol_version: 1,
}

export const DEVICE_AUTHORIZATION = {
  device_code: 'd'.repeat(43),
  user_code: 'WDJB-MJHT',
  verification_uri: `${B}/device`,
  verification_uri_complete: `${B}/device?user_code=WDJB-MJHT`,
  expires_in: 600,
  interval: 5,
}

/** Errors of OAuth. */
export const OAUTH_ERROR = { error: 'authorization_pending', error_description: 'text' }

export const TOKENS = {
  access_token: 'a.b.c',
  refresh_token: 'r',
  token_type: 'Bearer',
  expires_in: 3600,
  email: 'ann@corp.test',
}

export const CLAIMS = {
  sub: 'u',
  email: 'ann@corp.test',
  name: 'Ann',
  groups: ['eng'],
  aud: 'claude-code',
  iat: 1,
  exp: 3601,
  iss: B,
}

export const MANAGED_SETTINGS = {
  uuid: '0b0e5a3e-0000-4000-8000-000000000000',
  checksum: `sha256:${'0'.repeat(64)}`,
  settings: { availableModels: ['claude-opus-5-5'], enforceAvailableModels: true },
}

export const MODEL = { type: 'model', id: 'claude-opus-5-5', display_name: 'Claude Opus 5.5' }

export const USAGE = {
  extra_usage: {
    is_enabled: true,
    monthly_limit: 50_000,
    used_credits: 27_140,
    utilization: 54,
    currency: 'USD',
  },
  limits: [
    {
      kind: 'spend',
      group: 'monthly',
      percent: 54,
      resets_at: '2026-12-01T00:00:00.000Z',
      severity: 'normal',
      is_active: true,
    },
  ],
}

export const USAGE_WITHOUT_LIMIT = {
  extra_usage: {
    is_enabled: true,
    monthly_limit: null,
    used_credits: 0,
    utilization: null,
    currency: 'USD',
  },
  limits: [],
  daily: { limit: null, used_credits: 0, utilization: null },
  weekly: { limit: null, used_credits: 0, utilization: null },
}

const UNIFIED = 'anthropic-ratelimit-unified'
/** Headers of an answer where a limit is reached, without which Claude Code does not show our message. */
export const REACHED: Readonly<Record<string, RegExp>> = {
  'x-should-retry': /^false$/,
  'retry-after': /^\d+$/,
  [`${UNIFIED}-status`]: /^rejected$/,
  [`${UNIFIED}-reset`]: /^\d{10}$/,
  [`${UNIFIED}-overage-reset`]: /^\d{10}$/,
  [`${UNIFIED}-overage-utilization`]: /^1$/,
  [`${UNIFIED}-overage-surpassed-threshold`]: /^1$/,
  [`${UNIFIED}-overage-period`]: /^(daily|weekly|monthly)$/,
  [`${UNIFIED}-overage-disabled-reason`]: /^org_spend_cap_reached$/,
}
/** With these it drops our message. */
export const NOT_REACHED = [`${UNIFIED}-representative-claim`, `${UNIFIED}-overage-status`]
export const REACHED_BODY = { type: 'error', error: { type: 'billing_error', message: 'text' } }
