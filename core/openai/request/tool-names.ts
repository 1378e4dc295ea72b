/** Names of tools at Claude, which has no namespaces: `mcp__files` and its `read` become `mcp__files__read`. */
import type { ClientTool, ClientTools } from '../client-tools.ts'
import { createFreeNames } from '../free-names.ts'

const LONGEST_NAME = 128
/** OpenAI's namespace of tools that have none. */
const NO_NAMESPACE = 'functions'

export interface ToolNames {
  /** A name at Claude for the tool, the same for the same tool and for no other. */
  add(tool: ClientTool): string
  /** The name of a tool at Claude, also of one that is not among the tools any more. */
  of(tool: ClientTool): string
  /** No tool gets this name. */
  reserve(name: string): void
  all: ClientTools
}

export function createToolNames(): ToolNames {
  const all = new Map<string, ClientTool>()
  const names = new Map<string, string>()
  const reserved = new Set<string>()
  const free = createFreeNames((name) => all.has(name) || reserved.has(name), LONGEST_NAME)
  const wanted = (tool: ClientTool) => ('name' in tool ? flattened(tool.name, tool.namespace) : tool.kind)
  return {
    all,
    reserve: (name) => void reserved.add(name),
    of: (tool) => names.get(keyOf(tool)) ?? wanted(tool),
    add(tool) {
      const key = keyOf(tool)
      const known = names.get(key)
      if (known !== undefined) return known
      const name = free(wanted(tool))
      all.set(name, tool)
      names.set(key, name)
      return name
    },
  }
}

/** A function and a custom tool of one name are told apart by their calls' types. */
function keyOf(tool: ClientTool): string {
  return 'name' in tool ? `${tool.kind} ${tool.namespace ?? NO_NAMESPACE} ${tool.name}` : tool.kind
}

function flattened(name: string, namespace: string | undefined): string {
  if (namespace === undefined || namespace === NO_NAMESPACE) return name
  const whole = namespace.endsWith('__') ? `${namespace}${name}` : `${namespace}__${name}`
  return whole.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, LONGEST_NAME)
}
