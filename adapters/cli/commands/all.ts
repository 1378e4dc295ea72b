/** All commands, in the order in which help lists them. */
import type { Command } from '../command.ts'
import { ADMIN_KEYS } from './admin-keys.ts'
import { APPLY } from './apply.ts'
import { AUDIT } from './audit.ts'
import { BACKENDS } from './backends.ts'
import { CHANNELS } from './channels.ts'
import { CLIENT_SETTINGS } from './client-settings.ts'
import { DEVICES } from './devices.ts'
import { GROUPS } from './groups.ts'
import { INVITATIONS } from './invitations.ts'
import { KEYS } from './keys.ts'
import { LIMITS } from './limits.ts'
import { MAINTENANCE } from './maintenance.ts'
import { OBJECTS } from './objects.ts'
import { POLICIES } from './policies.ts'
import { REPORTS } from './report.ts'
import { REQUESTS } from './requests.ts'
import { USAGE } from './usage.ts'
import { USERS } from './users.ts'

export const COMMANDS: readonly Command[] = [
  ...CLIENT_SETTINGS,
  ...USERS,
  ...INVITATIONS,
  ...KEYS,
  ...DEVICES,
  ...POLICIES,
  ...ADMIN_KEYS,
  ...GROUPS,
  ...LIMITS,
  ...REQUESTS,
  ...OBJECTS,
  ...REPORTS,
  ...USAGE,
  ...APPLY,
  ...BACKENDS,
  ...CHANNELS,
  ...AUDIT,
  ...MAINTENANCE,
]
