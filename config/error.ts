/** Errors of a configuration: the path of each invalid setting and what is expected, never its value. */
export interface ConfigProblem {
  /** e.g. backends.0.url; '' for the file as a whole. */
  path: string
  message: string
}

const LONGEST_PATH = 200

/** `text` as one line without control characters, because messages go to terminals and logs. */
function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, '?').slice(0, LONGEST_PATH)
}

export class ConfigError extends Error {
  readonly file: string
  /** Path of the first problem. */
  readonly path: string
  readonly problems: readonly ConfigProblem[]

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ path, message }) => ({ path: plain(path), message: plain(message) }))
    super(lines.map(({ path, message }) => [file, path, message].filter(Boolean).join(': ')).join('\n'))
    this.name = 'ConfigError'
    this.file = file
    this.path = lines[0]?.path ?? ''
    this.problems = lines
  }
}
