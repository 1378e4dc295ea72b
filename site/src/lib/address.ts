import { goto } from '$app/navigation'

/**
 * Goes to the same page with these parameters in its address, less what is empty and the first page: so a view can be
 * shared and gone back to. `replace`: what is typed leaves no trail of its letters.
 */
export function goWith(values: Readonly<Record<string, string | number>>, { replace } = { replace: false }) {
  const shown = Object.entries(values).filter(
    ([name, value]) => value !== '' && !(name === 'page' && value === 1),
  )
  const text = new URLSearchParams(shown.map(([name, value]) => [name, String(value)])).toString()
  return goto(text ? `?${text}` : '?', { reset: false, replace })
}
