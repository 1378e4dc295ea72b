/** The bundle, run by AWS's own runtime client. */
import { answersContracts } from '../contracts/all.ts'
import { lambda } from '../support/lambda.ts'
import { RUNTIME } from './install.ts'

answersContracts(lambda("Lambda (AWS's runtime client)", RUNTIME))
