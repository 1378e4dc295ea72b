import { organisationContracts } from '../contracts/all.ts'
import { NODE } from '../support/gateway.ts'

organisationContracts(NODE)
