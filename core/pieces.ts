/** Text that is sent piece by piece, each of which is made only when the one before was taken. */

/**
 * An error in `pieces` fails the stream, so that what is partial never looks complete. `over` is called at the end in any case.
 */
export function streamOf(
  pieces: AsyncGenerator<string>,
  over: () => void = () => {},
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pieces.next().catch((cause) => {
        over()
        throw cause
      })
      if (!done) return controller.enqueue(encoder.encode(value))
      over()
      controller.close()
    },
    async cancel() {
      over()
      await pieces.return(undefined)
    },
  })
}
