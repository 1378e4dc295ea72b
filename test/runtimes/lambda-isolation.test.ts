import { beforeAll } from 'vitest'
import { isolationContract } from '../contracts/isolation.ts'
import { buildLambda, LAMBDA_LOCAL, lambda } from '../support/lambda.ts'

beforeAll(buildLambda)
isolationContract(lambda('Lambda (lambda-local)', LAMBDA_LOCAL))
