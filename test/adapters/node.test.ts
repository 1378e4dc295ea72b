import { gatewayContract } from '../contracts/gateway.ts'
import { startGateway } from '../support/gateway.ts'

gatewayContract('Node', (settings) => startGateway(settings))
