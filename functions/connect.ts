/** What puts Claude Code on machines in touch with this gateway, for whoever sets machines up: nothing in it is secret. */
import * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import { type ClientSettings, clientSettings } from '../core/devices/client-settings.ts'
import { nothingHere, Refusal } from '../core/errors.ts'
import { route } from './route.ts'

export const connect = [
  route({
    method: 'GET',
    path: '/api/connect',
    tier: 'public',
    summary:
      'Files and commands that put Claude Code in touch with this gateway. 404 without server.public_url.',
    errors: [404],
    reply: z.strictObject({
      url: z.string(),
      warning: z
        .string()
        .nullable()
        .meta({ description: 'Why Claude Code would not sign in at this address.' }),
      settings: z.array(
        z.strictObject({
          id: z.string(),
          who: z.enum(['administrator', 'person']),
          file: z.string(),
          place: z.string(),
          content: z.string(),
        }),
      ),
    }),
    async handle({ deps }) {
      const settings = settingsOf(deps)
      return { url: deps.settings.publicUrl, warning: (await deps.signInProblem()) ?? null, settings }
    },
  }),
  route({
    method: 'GET',
    path: '/api/connect/:platform',
    tier: 'public',
    summary:
      'One of these files: linux, macos, macos-profile, jamf, windows, windows-registry, intune and others.',
    errors: [404],
    produces: ['text/plain'],
    handle({ deps, params, id }) {
      const all = settingsOf(deps)
      const found = all.find((one) => one.id === params.platform)
      if (!found) throw new Refusal('not_found', `Choose one of ${all.map((one) => one.id).join(', ')}.`)
      const headers = {
        'content-type': 'text/plain; charset=utf-8',
        'cache-control': 'no-store',
        'request-id': id,
        'content-disposition': `attachment; filename="${found.file}"`,
      }
      return new Response(found.content, { headers })
    },
  }),
]

/** Throws a Refusal not_found where the gateway does not know its address. */
function settingsOf({ settings, sha256 }: Pick<Deps, 'settings' | 'sha256'>): ClientSettings[] {
  if (settings.publicUrl === '') throw nothingHere()
  return clientSettings(settings.publicUrl, sha256)
}
