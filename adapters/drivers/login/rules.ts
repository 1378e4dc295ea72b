import type { OidcProvider } from '../../../config/login.ts'
import type { ClaimRules } from '../../../core/identity/provider.ts'

type Rules = Pick<
  OidcProvider,
  | ('groups_claim' | 'allowed_groups' | 'admin_groups' | 'billing_groups' | 'auditor_groups')
  | ('department_claim' | 'join_claim' | 'trust_email_of' | 'register')
>

/** The rules of the configuration with core's names. */
export function rulesFrom(
  rules: Rules & { groups_prefix?: string },
  source: ClaimRules['source'],
): ClaimRules {
  return {
    source,
    groupsClaim: rules.groups_claim,
    groupsPrefix: rules.groups_prefix ?? '',
    allowedGroups: rules.allowed_groups,
    adminGroups: rules.admin_groups,
    billingGroups: rules.billing_groups,
    auditorGroups: rules.auditor_groups,
    departmentClaim: rules.department_claim,
    joinClaim: rules.join_claim,
    trustEmailOf: rules.trust_email_of,
    register: rules.register,
  }
}
