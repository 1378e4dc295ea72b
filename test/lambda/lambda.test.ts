/** The bundle, run by AWS's own runtime client. */
import { allContracts } from '../contracts/all.ts'
import { lambda } from '../support/lambda.ts'
import { RUNTIME } from './install.ts'

allContracts(lambda("Lambda (AWS's runtime client)", RUNTIME))
