import { allContracts } from '../contracts/all.ts'
import { NODE } from '../support/gateway.ts'

allContracts(NODE)
