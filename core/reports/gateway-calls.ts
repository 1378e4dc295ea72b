/** Calls of the gateway's own, which no user made: they are in the log like all others, because they cost money too. */

/** Stands where a row names a user and a key. */
export const GATEWAY_ID = -1
/** No account can have this name. */
export const GATEWAY_NAME = '(gateway)'

export function nameOfGateway(userId: number): string | null {
  return userId === GATEWAY_ID ? GATEWAY_NAME : null
}
