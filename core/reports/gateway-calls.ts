/** Calls that the gateway makes itself. They are logged like those of users, because they cost money too. */

/** User id and key id of such calls. */
export const GATEWAY_ID = -1
/** Shown as their user. No account can have this name. */
export const GATEWAY_NAME = '(gateway)'

export function nameOfGateway(userId: number): string | null {
  return userId === GATEWAY_ID ? GATEWAY_NAME : null
}
