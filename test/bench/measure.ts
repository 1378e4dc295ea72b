/** What processes used, as Linux counts it, and what numbers say together. */
import { readdirSync, readFileSync } from 'node:fs'

/** The process and all that descend from it. */
export function processTree(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return [pid, ...(children === '' ? [] : children.split(' ').map(Number).flatMap(processTree))]
}

/** CPU time of all threads of a process and its descendants so far, in µs (schedstat counts in ns). */
export function cpuMicros(pid: number): number {
  const nanos = processTree(pid).flatMap((one) =>
    readdirSync(`/proc/${one}/task`).map((thread) =>
      Number(readFileSync(`/proc/${one}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
    ),
  )
  return nanos.reduce((sum, value) => sum + value, 0) / 1000
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}

/** The most resident memory that a process ever had, in bytes. */
export function mostResidentBytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

/** The value below which `share` (0..1) of the values lie, between two of them in proportion. NaN without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const [low = Number.NaN, high = low] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  return low + (high - low) * (at - Math.floor(at))
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}
