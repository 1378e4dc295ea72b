/** What is seen, as a file. */

/** What a cell says; of a time the moment itself, because "2 days ago" says nothing in a file. */
export function cellText(cell: HTMLElement): string {
  const time = cell.querySelector('time')?.dateTime
  if (time) return time
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT)
  const parts: string[] = []
  while (walker.nextNode()) parts.push(walker.currentNode.nodeValue?.trim() ?? '')
  return parts.filter((part) => part !== '').join(' ')
}

export function download(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
