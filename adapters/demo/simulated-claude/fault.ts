/** An error in the form of Claude's API. */
export class Fault extends Error {
  readonly status: number
  readonly type: string

  constructor(status: number, type: string, message: string) {
    super(message)
    this.status = status
    this.type = type
  }
}

export function notFound(what = 'Not found'): Fault {
  return new Fault(404, 'not_found_error', what)
}
export function invalid(message: string): Fault {
  return new Fault(400, 'invalid_request_error', message)
}
