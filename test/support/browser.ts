/** Somebody with a browser: keeps cookies, says where it comes from. */

export interface Answer {
  status: number
  headers: Headers
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads from an answer it also asserts
  body: any
}

export interface Browser {
  cookies: Map<string, string>
  get(path: string, init?: Init): Promise<Answer>
  post(path: string, body?: unknown, init?: Init): Promise<Answer>
  put(path: string, body?: unknown, init?: Init): Promise<Answer>
  delete(path: string, init?: Init): Promise<Answer>
}

interface Init {
  /** Over the usual ones; '' leaves one out. */
  headers?: Record<string, string>
  /** The address that the connection comes from, where the way of asking lets it be chosen. */
  peer?: string
}

export type Ask = (path: string, init: RequestInit & { peer?: string }) => Promise<Answer>

/** A new one, at a gateway of this origin that is asked so. */
export function browserOf(ask: Ask, origin: () => string): Browser {
  const cookies = new Map<string, string>()
  const send = async (method: string, path: string, body: unknown, init: Init = {}) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = {
      host: new URL(origin()).host,
      ...(method === 'GET' ? {} : { origin: origin() }),
      ...(cookie ? { cookie } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...init.headers,
    }
    const answer = await ask(path, {
      method,
      ...(init.peer ? { peer: init.peer } : {}),
      headers: Object.entries(headers).filter(([, value]) => value !== ''),
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/max-age=0/i.test(line)) cookies.delete(name)
      else cookies.set(name, value)
    }
    return answer
  }
  return {
    cookies,
    get: (path, init) => send('GET', path, undefined, init),
    post: (path, body, init) => send('POST', path, body, init),
    put: (path, body, init) => send('PUT', path, body, init),
    delete: (path, init) => send('DELETE', path, undefined, init),
  }
}

/** A response, read to its end. */
export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  const { status, headers } = response
  return { status, headers, text, body: isJson ? JSON.parse(text) : undefined }
}
