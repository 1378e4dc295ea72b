import { mixedFleetContract } from '../contracts/mixed-fleet.ts'
import { NODE } from '../support/gateway.ts'

mixedFleetContract(NODE)
