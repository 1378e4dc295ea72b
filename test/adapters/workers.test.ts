import { allContracts } from '../contracts/all.ts'
import { WORKERS } from '../support/workers.ts'

allContracts(WORKERS)
