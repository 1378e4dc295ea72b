import { accountingContracts, organisationContracts } from '../contracts/all.ts'
import { lambda } from '../support/lambda.ts'
import { RUNTIME } from './install.ts'

const LAMBDA = lambda("Lambda (AWS's runtime client)", RUNTIME)
accountingContracts(LAMBDA)
organisationContracts(LAMBDA)
