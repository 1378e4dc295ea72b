/** Patterns with `*` for model names. No regular expressions, so that a match costs at most O(pattern × text). */

/** Whether all of `text` matches `pattern`. `*` stands for any characters or none; case is ignored. */
export function matches(pattern: string, text: string): boolean {
  const parts = pattern.toLowerCase().split('*')
  const subject = text.toLowerCase()
  const first = parts[0] ?? ''
  const last = parts.at(-1) ?? ''
  if (parts.length === 1) return subject === first
  if (!subject.startsWith(first) || subject.length < first.length + last.length || !subject.endsWith(last))
    return false
  let from = first.length
  for (const part of parts.slice(1, -1)) {
    const at = subject.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return from <= subject.length - last.length
}

export function matchesAny(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => matches(pattern, text))
}
