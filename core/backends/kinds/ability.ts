/** What a call asks of a backend that not every kind can do. A kind lists those that it lacks, with its sources. */
export type Ability =
  /** Images and documents by their address. */
  | 'url_sources'
  /** Content of the Files API. */
  | 'file_sources'
  | 'web_search'
  /** Other tools that run at the upstream, and their containers. */
  | 'server_tools'
  | 'skills'
  | 'mcp_servers'
  | 'structured_outputs'
  /** Other models that the upstream itself goes to. */
  | 'fallbacks'
  | 'fast'
  /** Conversations that the account keeps. */
  | 'threads'

/** The path of the field that first asks for it, by what a call asks for. */
export type Uses = ReadonlyMap<Ability, string>
