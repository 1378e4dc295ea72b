import { isolationContract } from '../contracts/isolation.ts'
import { WORKERS } from '../support/workers.ts'

isolationContract(WORKERS)
