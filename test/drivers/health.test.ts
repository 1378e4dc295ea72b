import { memoryHealth } from '../../adapters/drivers/health/memory.ts'
import { healthStoreContract } from '../contracts/health-store.ts'

healthStoreContract('memory', async () => memoryHealth())
