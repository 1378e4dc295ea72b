/** Whether something was typed that is still in sight, so that nobody is led away from it. */
const typed = new Set<Element>()

document.addEventListener('input', ({ target }) => {
  for (const one of typed) if (!one.isConnected) typed.delete(one)
  // Not what filters a list: an address keeps that.
  const place = target instanceof Element ? target.closest('form, dialog, textarea, [data-typed]') : null
  if (place) typed.add(place)
})

/** A dialog stays in the page when it is closed. */
export function isTyped(): boolean {
  return [...typed].some((one) => one.isConnected && !(one instanceof HTMLDialogElement && !one.open))
}
