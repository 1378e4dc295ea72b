/** What a scenario is. */
import type { Rounds } from './rounds.ts'
import type { Stage } from './stage.ts'

/** How much is measured. */
export interface Scale {
  rounds: number
  /** Rounds that warm up, before those that count. */
  before: number
  /** Of numbers that are chosen for a full run. */
  share(full: number): number
}

export interface Scenario {
  /** One sentence for whoever reads the results. */
  about: string
  /** The variants that are divided, round by round. */
  ratios: readonly (readonly [of: string, to: string])[]
  run(stage: Stage, scale: Scale): Promise<Rounds>
}

export const TO_PIPE = [['gateway', 'pipe']] as const
