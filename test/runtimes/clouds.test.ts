import { beforeAll } from 'vitest'
import { cloudsContract } from '../contracts/clouds.ts'
import { buildLambda, LAMBDA_LOCAL, lambda } from '../support/lambda.ts'
import { WORKERS } from '../support/workers.ts'

beforeAll(buildLambda)
cloudsContract(lambda('Lambda (lambda-local)', LAMBDA_LOCAL))
cloudsContract(WORKERS)
