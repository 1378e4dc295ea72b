/**
 * Run as a process of its own: the primary of a release before workers had a socket to it. Starts one worker of this release on a
 * configuration file (first argument) and prints when it listens, or how it ended.
 */
import cluster from 'node:cluster'
import { readFileSync } from 'node:fs'

const [path = ''] = process.argv.slice(2)
const file = { file: path, text: readFileSync(path, 'utf8') }
cluster.setupPrimary({ exec: 'adapters/node/index.ts', args: [] })
const worker = cluster.fork()
worker.send({ started: file, inForce: file, warns: false })
worker.on('listening', () => console.log('listening'))
worker.on('exit', (code) => {
  console.log(`ended with ${code}`)
  process.exit(0)
})
