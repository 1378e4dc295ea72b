/**
 * What puts Claude Code on machines in touch with this gateway: files and commands by platform. Places and names are those of
 * https://code.claude.com/docs/en/settings#settings-files.
 */
import type { Sha256 } from '../keys/mint.ts'
import { uuidOf } from '../policies/managed-settings.ts'

export interface ClientSettings {
  /** e.g. linux */
  id: string
  /** Whether an administrator of the machine puts it there, for everybody, or a person for themselves. */
  who: 'administrator' | 'person'
  /** Its name as a file. */
  file: string
  /** Where it goes, or how it is run. */
  place: string
  content: string
}

const BUNDLE = 'com.anthropic.claudecode'
const JSON_FILE = 'managed-settings.json'

/** `url` is the gateway's public address. */
export function clientSettings(url: string, sha256: Sha256): ClientSettings[] {
  const administrator = ofAdministrators(url, sha256).map((one) => ({
    ...one,
    who: 'administrator' as const,
  }))
  return [...administrator, ...ofPeople(url).map((one) => ({ ...one, who: 'person' as const }))]
}

function ofAdministrators(url: string, sha256: Sha256): Omit<ClientSettings, 'who'>[] {
  // What the gateway's policies say comes on top of what else the file may hold.
  const managed = { forceLoginMethod: 'gateway', forceLoginGatewayUrl: url, parentSettingsBehavior: 'merge' }
  const content = pretty(managed)
  const oneLine = JSON.stringify(managed)
  return [
    { id: 'linux', file: JSON_FILE, place: `/etc/claude-code/${JSON_FILE}`, content },
    { id: 'macos', file: JSON_FILE, place: `/Library/Application Support/ClaudeCode/${JSON_FILE}`, content },
    {
      id: 'macos-profile',
      file: `${BUNDLE}.mobileconfig`,
      content: profile(managed, sha256(url)),
      place: 'A configuration profile for any device management, such as Intune and Kandji',
    },
    {
      id: 'jamf',
      file: `${BUNDLE}.plist`,
      content: document(dictionary(managed)),
      place: `Application & Custom Settings of Jamf, for the preference domain ${BUNDLE}`,
    },
    { id: 'windows', file: JSON_FILE, place: `C:\\Program Files\\ClaudeCode\\${JSON_FILE}`, content },
    {
      id: 'windows-registry',
      file: 'claude-code.reg',
      content: registry(oneLine),
      place: 'By group policy, or reg import claude-code.reg',
    },
    {
      id: 'intune',
      file: 'claude-code.ps1',
      content: intune(oneLine),
      place: 'A platform script of Intune, not with the credentials of who is signed in',
    },
  ]
}

function ofPeople(url: string): Omit<ClientSettings, 'who'>[] {
  const own = { forceLoginMethod: 'gateway', forceLoginGatewayUrl: url }
  const file = 'settings.json'
  return [
    { id: 'settings', file, place: '~/.claude/settings.json, then /login', content: pretty(own) },
    { id: 'key-sh', file: 'claude-code.sh', place: 'In a shell, with an API key', content: shell(url) },
    {
      id: 'key-powershell',
      file: 'claude-code.ps1',
      content: powershell(url),
      place: 'In PowerShell, with an API key',
    },
    {
      id: 'key-settings',
      file,
      place: '~/.claude/settings.json, with an API key',
      content: pretty({ env: { ANTHROPIC_BASE_URL: url, ANTHROPIC_AUTH_TOKEN: 'sk-…' } }),
    },
  ]
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

type Texts = Readonly<Record<string, string>>

function document(content: string): string {
  const doctype = '"-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"'
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC ${doctype}>
<plist version="1.0">
${content}
</plist>
`
}

/** `more` is what else the dictionary holds, ready. */
function dictionary(texts: Texts, more = ''): string {
  const entries = Object.entries(texts).map(([name, value]) => {
    return `<key>${name}</key>\n<string>${escaped(value)}</string>\n`
  })
  return `<dict>\n${entries.join('')}${more}</dict>`
}

/** Its ids are the same for a gateway, so that a newer profile replaces the older one. */
function profile(managed: Texts, hash: string): string {
  const version = '<key>PayloadVersion</key>\n<integer>1</integer>\n'
  const payload = dictionary(
    {
      PayloadType: BUNDLE,
      PayloadIdentifier: `${BUNDLE}.gateway.settings`,
      PayloadUUID: uuidOf(hash).toUpperCase(),
      PayloadDisplayName: 'Claude Code',
      ...managed,
    },
    version,
  )
  const whole = dictionary(
    {
      PayloadType: 'Configuration',
      PayloadIdentifier: `${BUNDLE}.gateway`,
      PayloadUUID: uuidOf(hash.slice(32)).toUpperCase(),
      PayloadDisplayName: 'Claude Code signs in to the gateway',
      PayloadScope: 'System',
    },
    `${version}<key>PayloadContent</key>\n<array>\n${payload}\n</array>\n`,
  )
  return document(whole)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function registry(json: string): string {
  const value = json.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
  return `Windows Registry Editor Version 5.00\r
\r
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\ClaudeCode]\r
"Settings"="${value}"\r
`
}

/** Programs of 32 bits, as Intune runs scripts, share this key of the registry with all others. */
function intune(json: string): string {
  return `$ErrorActionPreference = 'Stop'
$path = 'HKLM:\\SOFTWARE\\Policies\\ClaudeCode'
New-Item -Path $path -Force | Out-Null
New-ItemProperty -Path $path -Name Settings -PropertyType String -Force -Value '${json.replaceAll("'", "''")}' | Out-Null
`
}

function shell(url: string): string {
  return `export ANTHROPIC_BASE_URL='${url.replaceAll("'", "'\\''")}'
export ANTHROPIC_AUTH_TOKEN='sk-…'
claude
`
}

function powershell(url: string): string {
  return `$env:ANTHROPIC_BASE_URL = '${url.replaceAll("'", "''")}'
$env:ANTHROPIC_AUTH_TOKEN = 'sk-…'
claude
`
}
