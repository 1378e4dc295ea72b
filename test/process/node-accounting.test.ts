import { accountingContracts } from '../contracts/all.ts'
import { NODE } from '../support/gateway.ts'

accountingContracts(NODE)
