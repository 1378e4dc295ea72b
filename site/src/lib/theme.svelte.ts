/** Light or dark: static/theme.js applies it, also before the first paint; this is the switch. */
export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const stored = localStorage.getItem('theme')
let chosen = $state<Theme>(stored === 'light' || stored === 'dark' ? stored : 'system')

export const theme = {
  get chosen() {
    return chosen
  },
  set chosen(value: Theme) {
    chosen = value
    if (value === 'system') localStorage.removeItem('theme')
    else localStorage.setItem('theme', value)
    dispatchEvent(new Event('themechange'))
  },
}
