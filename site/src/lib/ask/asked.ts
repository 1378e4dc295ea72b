/** What a page asks of /v1/messages. */
export interface Asked {
  model: string
  max_tokens: number
  system?: string
  thinking?: { type: 'adaptive' | 'disabled' } | { type: 'enabled'; budget_tokens: number }
  messages: { role: 'user' | 'assistant'; content: string }[]
}
