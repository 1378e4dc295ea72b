/**
 * A sign of life of our own, for a stream whose upstream sends none. It is always this very object, so that whoever times the
 * upstream's silence can tell it from what the upstream sent.
 */
export const PING = new TextEncoder().encode('event: ping\ndata: {"type": "ping"}\n\n')
