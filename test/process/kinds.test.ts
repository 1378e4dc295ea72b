import { kindsContract } from '../contracts/kinds.ts'
import { mixedFleetContract } from '../contracts/mixed-fleet.ts'
import { NODE } from '../support/gateway.ts'

kindsContract(NODE)
mixedFleetContract(NODE)
