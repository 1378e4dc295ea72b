import { isolationContract } from '../contracts/isolation.ts'
import { NODE } from '../support/gateway.ts'

isolationContract(NODE)
