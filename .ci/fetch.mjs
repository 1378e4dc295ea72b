// Installs what suites would install before they begin. What fails here is tried again there, and told.
import clients from '../test/clients/install.ts'
import lambda from '../test/lambda/install.ts'
import openapi from '../test/openapi/install.ts'

await Promise.allSettled([clients(), openapi()])
lambda()
