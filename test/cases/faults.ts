/** How a backend can fail: where another one could serve, and where it is the only one. */
import { errorJson, type Script, sse } from '../support/upstream.ts'

export const JSON_TYPE = { 'content-type': 'application/json' }
const WEB_PAGE = { 'content-type': 'text/html' }

/** An answer in the form of an error of Claude's. */
export const failing = (status: number, type: string, headers: Record<string, string> = {}): Script => ({
  status,
  headers: { ...JSON_TYPE, ...headers },
  chunks: [errorJson(type)],
})
const OPENING_ERROR: Script = {
  chunks: [sse({ type: 'error', error: { type: 'overloaded_error', message: 'm' } })],
}

export const SURVIVED: [what: string, script: Script][] = [
  ['refuses', { before: 'refuse' }],
  ['never answers', { before: 'hang' }],
  ['resets after its head', { chunks: [], end: 'reset' }],
  ['answers 500', failing(500, 'api_error')],
  ['answers 502 with a web page', { status: 502, headers: WEB_PAGE, chunks: ['<html>'] }],
  ['answers 529', failing(529, 'overloaded_error')],
  ['answers 429', failing(429, 'rate_limit_error', { 'retry-after': '30' })],
  ['answers 401', failing(401, 'authentication_error')],
  ['answers 402', failing(402, 'billing_error')],
  ['answers 403', failing(403, 'permission_error')],
  [
    'does not know the model',
    { status: 404, headers: JSON_TYPE, chunks: [errorJson('not_found_error', 'model: claude-x')] },
  ],
  ['is behind a firewall', { status: 403, headers: WEB_PAGE, chunks: ['<html>blocked'] }],
  [
    'opens with an error in pieces',
    {
      chunks: [
        ': waiting\n\nevent: er',
        20,
        'ror\r\ndata: {"type":"error","error":{"type":',
        20,
        '"overloaded_error","message":"m"}}\r\n\r\n',
      ],
    },
  ],
  ['redirects', { status: 302, headers: { location: 'http://169.254.169.254/' } }],
  ['answers with nothing', { chunks: [] }],
  ['answers 200 with a web page', { headers: WEB_PAGE, chunks: ['<html>login</html>'] }],
  ['opens its stream with an error', OPENING_ERROR],
  [
    'has reached its spend cap',
    {
      status: 400,
      headers: JSON_TYPE,
      chunks: [errorJson('invalid_request_error', 'You have reached your specified API usage limits.')],
    },
  ],
]

/** With the status and the type of error that the client gets. */
export const LONE: [what: string, script: Script, status: number, type: string][] = [
  ['refused', { before: 'refuse' }, 502, 'api_error'],
  ['401', failing(401, 'authentication_error'), 502, 'api_error'],
  ['403', failing(403, 'permission_error'), 502, 'api_error'],
  ['an empty stream', { chunks: [] }, 502, 'api_error'],
  ['an empty body', { headers: JSON_TYPE, chunks: [] }, 502, 'api_error'],
  ['a web page', { headers: WEB_PAGE, chunks: ['<html>'] }, 502, 'api_error'],
  ['a status that there is not', { status: 999, headers: JSON_TYPE, chunks: ['{}'] }, 502, 'api_error'],
  ['a redirect', { status: 307, headers: { location: '/elsewhere' } }, 502, 'api_error'],
  ['500', failing(500, 'api_error'), 500, 'api_error'],
  ['529', failing(529, 'overloaded_error'), 529, 'overloaded_error'],
  ['429', failing(429, 'rate_limit_error', { 'retry-after': '7' }), 429, 'rate_limit_error'],
  ['404', failing(404, 'not_found_error'), 404, 'not_found_error'],
  ['413', failing(413, 'request_too_large'), 413, 'request_too_large'],
  ['an opening error', OPENING_ERROR, 529, 'overloaded_error'],
  [
    'an unknown error as a success',
    { headers: JSON_TYPE, chunks: [errorJson('constructor')] },
    500,
    'constructor',
  ],
  [
    'an unknown opening error',
    { chunks: [sse({ type: 'error', error: { type: 'constructor', message: 'm' } })] },
    500,
    'constructor',
  ],
]
