/** A configuration that cannot be used: every bad leaf with its path and what is expected, never a value. */
export interface ConfigProblem {
  /** e.g. backends.0.url; '' for the file as a whole. */
  path: string
  message: string
}

export class ConfigError extends Error {
  readonly file: string
  readonly problems: readonly ConfigProblem[]

  constructor(file: string, problems: readonly ConfigProblem[]) {
    super(problems.map(({ path, message }) => [file, path, message].filter(Boolean).join(': ')).join('\n'))
    this.name = 'ConfigError'
    this.file = file
    this.problems = problems
  }
}
