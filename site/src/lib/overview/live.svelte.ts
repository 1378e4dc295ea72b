/** What the gateway does at this moment, once a second; undefined where it cannot be had, such as on Workers. */
import type { Live } from '../api/index.ts'

export class LiveFigures {
  now = $state.raw<Live>()

  /** Follows as long as the component lives. */
  constructor() {
    $effect(() => {
      const source = new EventSource('/admin/api/live')
      source.onmessage = ({ data }) => {
        this.now = JSON.parse(data) as Live // checked by the gateway against the schema that Live comes from
      }
      source.onerror = () => {
        this.now = undefined
      }
      return () => source.close()
    })
  }
}
