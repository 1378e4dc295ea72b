/**
 * Connections through a proxy: HTTP's CONNECT (https://www.rfc-editor.org/rfc/rfc9110#name-connect) or SOCKS5
 * (https://www.rfc-editor.org/rfc/rfc1928). The name of the upstream is resolved by the proxy.
 */
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type Socket } from 'node:net'
import { coded } from './coded.ts'
import { guardedLookup } from './lookup.ts'

/** Also of the proxy's own name, which must not lead to a metadata service either. */
const lookup = guardedLookup()

interface Target {
  host: string
  port: number
}

/** A connection to `target` through the proxy at this URL, which may have a user and a password. */
export function tunnel(proxy: string, target: Target, timeoutMs: number): Promise<Socket> {
  const url = new URL(proxy)
  return url.protocol === 'socks5:'
    ? throughSocks(url, target, timeoutMs)
    : throughHttp(url, target, timeoutMs)
}

async function throughSocks(proxy: URL, destination: Target, timeout: number): Promise<Socket> {
  // Loaded here, because few need it and every start would pay for it. By its default, because a bundle has nothing else of it.
  const { SocksClient } = (await import('socks')).default
  const userId = decodeURIComponent(proxy.username)
  const host = await addressOf(bare(proxy.hostname))
  try {
    const { socket } = await SocksClient.createConnection({
      command: 'connect',
      destination,
      timeout,
      proxy: {
        host,
        port: Number(proxy.port || 1080),
        type: 5,
        ...(userId ? { userId, password: decodeURIComponent(proxy.password) } : {}),
      },
    })
    return socket
  } catch (cause) {
    throw socksFault(cause)
  }
}

/** The library has texts alone, and the code of a failed connection in one of them. */
function socksFault(cause: unknown): Error {
  const text = String(cause)
  const [found = text.includes('timed out') ? 'PROXY_TIMEOUT' : 'PROXY_REFUSED'] =
    /\bE[A-Z]{4,}\b/.exec(text) ?? []
  return coded(found, 'no way through the proxy', cause)
}

async function throughHttp(proxy: URL, { host, port }: Target, timeout: number): Promise<Socket> {
  const isTls = proxy.protocol === 'https:'
  const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  const signal = AbortSignal.timeout(timeout)
  const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  const asking = (isTls ? httpsRequest : httpRequest)({
    host: bare(proxy.hostname),
    port: proxy.port || (isTls ? 443 : 80),
    method: 'CONNECT',
    path: authority,
    headers: {
      host: authority,
      ...(proxy.username ? { 'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}` } : {}),
    },
    agent: false,
    lookup,
    signal,
  })
  asking.end()
  const [answer, socket] = await once(asking, 'connect').catch((cause) => {
    throw signal.aborted ? coded('PROXY_TIMEOUT', 'the proxy is silent', cause) : cause
  })
  if (answer.statusCode === 200) return socket
  socket.destroy()
  throw coded(`PROXY_ANSWERED_${answer.statusCode}`, 'no way through the proxy')
}

/** The library resolves names by itself, and refuses none. */
function addressOf(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    lookup(host, {}, (error, address) => {
      if (error || typeof address !== 'string') reject(error ?? new Error(`${host} has no address`))
      else resolve(address)
    })
  })
}

/** An IPv6 address without its brackets. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '')
}

/**
 * Whether this host is reached without a proxy by a list as in the variable NO_PROXY: names, with or without a leading dot, that
 * stand for themselves and all below them, and networks such as 10.0.0.0/8, each optionally with a port; * for every host.
 */
export function isExempt(list: string, { host, port }: Target): boolean {
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true
      // An IPv6 address has colons of its own: a port stands behind its brackets.
      const [, bracketed, plain = bracketed ?? entry, ofPort] =
        /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? []
      if (ofPort !== undefined && Number(ofPort) !== port) return false
      if (plain.includes('/')) return isWithin(plain, host)
      const suffix = plain.replace(/^\*?\./, '')
      return host.toLowerCase() === suffix || host.toLowerCase().endsWith(`.${suffix}`)
    })
}

/** Whether this host is an address in a network such as 10.0.0.0/8 or fd00::/8; nothing is in what is none. */
function isWithin(network: string, host: string): boolean {
  const [address = '', length = ''] = network.split('/')
  const version = isIP(address)
  const longest = version === 4 ? 32 : 128
  if (version === 0 || isIP(host) !== version || !/^\d{1,3}$/.test(length) || Number(length) > longest)
    return false
  const family = version === 4 ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  list.addSubnet(address, Number(length), family)
  return list.check(host, family)
}
