/**
 * Where the focus goes when what had it is taken away, as a row with the button that deleted it: to what took its place, because
 * browsers leave it nowhere, and who reads by keyboard or by ear would have to begin the page again.
 */
import { onMount } from 'svelte'
import { onNavigate } from '$app/navigation'

const PRESSABLE = ['a[href]', 'summary', ...['button', 'input', 'select', 'textarea'].map(enabled)].join()

/** Of each element around what has the focus, from the inside out, and which of its children that is in. */
type Place = readonly [parent: Element, at: number]

/** For the component that is there as long as the site. */
export function keepFocus(): void {
  let last: Element | undefined
  let places: readonly Place[] = []
  const forget = () => {
    last = undefined
  }
  const remember = ({ target }: FocusEvent) => {
    last = target instanceof Element ? target : undefined
    places = last ? placesOf(last) : []
  }
  const look = () => {
    if (!last || last.isConnected) return
    forget()
    if (document.activeElement === document.body) moveTo(places)
  }
  // Another page begins at its beginning.
  onNavigate(forget)
  onMount(() => {
    const observer = new MutationObserver(look)
    observer.observe(document.body, { childList: true, subtree: true })
    addEventListener('focusin', remember)
    // Who presses on something else has left.
    addEventListener('pointerdown', forget)
    return () => {
      observer.disconnect()
      removeEventListener('focusin', remember)
      removeEventListener('pointerdown', forget)
    }
  })
}

function enabled(tag: string): string {
  return `${tag}:enabled:not([aria-disabled=true])`
}

function placesOf(element: Element): Place[] {
  const places: Place[] = []
  let child = element
  while (child.parentElement) {
    places.push([child.parentElement, [...child.parentElement.children].indexOf(child)])
    child = child.parentElement
  }
  return places
}

/** What is nearest, and what takes the focus: the page itself does. */
function moveTo(places: readonly Place[]) {
  for (const [parent, at] of places.filter(([one]) => one.isConnected)) {
    const child = parent.children[Math.min(at, parent.children.length - 1)]
    const next = child?.matches(PRESSABLE) ? child : child?.querySelector(PRESSABLE)
    const target = parent.id === 'content' ? parent : next
    if (target instanceof HTMLElement) target.focus({ preventScroll: true })
    if (document.activeElement !== document.body) return
  }
}
