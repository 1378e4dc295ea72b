export function idOf(kind: string): string {
  return `${kind}_sim${crypto.randomUUID().replaceAll('-', '').slice(0, 20)}`
}
