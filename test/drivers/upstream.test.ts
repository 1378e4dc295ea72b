import { fetchUpstream } from '../../adapters/drivers/upstream/fetch.ts'
import { undiciUpstream } from '../../adapters/drivers/upstream/undici.ts'
import { upstreamContract } from '../contracts/upstream.ts'

upstreamContract('undici', undiciUpstream)
upstreamContract('fetch', fetchUpstream)
