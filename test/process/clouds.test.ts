import { cloudsContract } from '../contracts/clouds.ts'
import { NODE } from '../support/gateway.ts'

cloudsContract(NODE)
