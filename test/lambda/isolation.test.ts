import { isolationContract } from '../contracts/isolation.ts'
import { lambda } from '../support/lambda.ts'
import { RUNTIME } from './install.ts'

isolationContract(lambda("Lambda (AWS's runtime client)", RUNTIME))
