import { accountsContract } from '../contracts/accounts.ts'
import { gatewayContract, type Start } from '../contracts/gateway.ts'
import { DEFAULTS, startGateway } from '../support/gateway.ts'

const start: Start = ({ auth, ...settings }) =>
  startGateway({ ...settings, auth: { ...DEFAULTS.auth, ...auth } })

gatewayContract('Node', start)
accountsContract('Node', start)
