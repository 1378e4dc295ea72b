/** What must hold on every runtime. Isolation stands in files of its own, because it waits for minutes. */
import type { Runtime } from '../support/runtime.ts'
import { accountsContract } from './accounts.ts'
import { approvalsContract } from './approvals.ts'
import { companyContract } from './company.ts'
import { compressionContract } from './compression.ts'
import { devicesContract } from './devices.ts'
import { edgesContract } from './edges.ts'
import { faultsContract } from './faults.ts'
import { firstStepsContract } from './first-steps.ts'
import { gatewayContract } from './gateway.ts'
import { kindsContract } from './kinds.ts'
import { limitsContract } from './limits.ts'
import { meteringContract } from './metering.ts'
import { modelFallbacksContract } from './model-fallbacks.ts'
import { moneyContract } from './money.ts'
import { noticesContract } from './notices.ts'
import { objectsContract } from './objects.ts'
import { organisationContract } from './organisation.ts'
import { outageContract } from './outage.ts'
import { programsContract } from './programs.ts'
import { reportsContract } from './reports.ts'
import { scimContract } from './scim.ts'
import { storedBackendsContract } from './stored-backends.ts'
import { telemetryContract } from './telemetry.ts'
import { usageContract } from './usage.ts'

export function allContracts(runtime: Runtime) {
  answersContracts(runtime)
  accountingContracts(runtime)
  organisationContracts(runtime)
}

/** How callers are answered, also when something fails. */
export function answersContracts(runtime: Runtime) {
  gatewayContract(runtime)
  firstStepsContract(runtime)
  compressionContract(runtime)
  edgesContract(runtime)
  faultsContract(runtime)
  kindsContract(runtime)
  modelFallbacksContract(runtime)
  objectsContract(runtime)
  outageContract(runtime)
  storedBackendsContract(runtime)
}

/** Who may call how much, and what is written down of it. */
export function accountingContracts(runtime: Runtime) {
  meteringContract(runtime)
  accountsContract(runtime)
  approvalsContract(runtime)
  limitsContract(runtime)
  moneyContract(runtime)
  usageContract(runtime)
  reportsContract(runtime)
}

/** How people, programs and machines belong together. */
export function organisationContracts(runtime: Runtime) {
  organisationContract(runtime)
  scimContract(runtime)
  noticesContract(runtime)
  programsContract(runtime)
  devicesContract(runtime)
  companyContract(runtime)
  telemetryContract(runtime)
}
