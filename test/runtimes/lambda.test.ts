import { beforeAll } from 'vitest'
import { allContracts } from '../contracts/all.ts'
import { buildLambda, LAMBDA_LOCAL, lambda } from '../support/lambda.ts'

beforeAll(buildLambda)
allContracts(lambda('Lambda (lambda-local)', LAMBDA_LOCAL))
