/** What must hold on every runtime. */
import type { Runtime } from '../support/runtime.ts'
import { accountsContract } from './accounts.ts'
import { faultsContract } from './faults.ts'
import { gatewayContract } from './gateway.ts'
import { limitsContract } from './limits.ts'

export function allContracts(runtime: Runtime) {
  gatewayContract(runtime)
  accountsContract(runtime)
  faultsContract(runtime)
  limitsContract(runtime)
}
