/** An error with a code, because of what fails on the wire only that is told (core/backends/network.ts). */
export function coded(code: string, message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code })
}
