/** Refresh tokens of providers, as they are stored: encrypted for one identity. */
import type { SecretBox } from '../secrets/box.ts'
import type { Identity } from './joining.ts'

/** null where none can be kept. */
export async function storedToken(
  secrets: SecretBox | undefined,
  identity: Pick<Identity, 'id'>,
  refreshToken: string | undefined,
): Promise<string | null> {
  return refreshToken && secrets ? secrets.seal(refreshToken, purposeOf(identity)) : null
}

/** Undefined where none is kept, or its key is gone. */
export async function tokenOf(
  secrets: SecretBox | undefined,
  identity: Pick<Identity, 'id' | 'refreshToken'>,
): Promise<string | undefined> {
  const { refreshToken } = identity
  return refreshToken === null ? undefined : secrets?.open(refreshToken, purposeOf(identity))
}

function purposeOf({ id }: Pick<Identity, 'id'>): string {
  return `identity:${id}`
}
