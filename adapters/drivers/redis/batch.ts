/**
 * Lua scripts that are run many at a time: what is asked for in one turn of the event loop is one command, in one write, because
 * a command costs this process ten times what its arguments cost.
 */
import * as z from 'zod'
import type { RedisClient } from './connection.ts'
import { runScript, type Script, script } from './script.ts'

/** Redis does nothing else while a script runs. */
const MOST_AT_ONCE = 100

export interface BatchScript<Name extends string> {
  /** The texts of the scripts that it runs. */
  scripts: Readonly<Record<Name, string>>
  /** Runs any number of them, one after the other; each fails for itself. */
  all: Script
}

/** `common`: functions for all scripts. The scripts see their own KEYS and ARGV. */
export function batchScript<Name extends string>(
  common: string,
  scripts: Readonly<Record<Name, string>>,
): BatchScript<Name> {
  const named = Object.entries<string>(scripts)
  const functions = named.map(([name, text]) => `scripts.${name} = function(KEYS, ARGV) ${text}\nend`)
  // ARGV of a batch: of each script its name, the number of its keys and of its arguments, then these.
  const text = `${common}
local scripts = {}
${functions.join('\n')}
local answers, key, at = {}, 1, 1
while at <= #ARGV do
  local keys, args = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local ok, answer = pcall(scripts[ARGV[at]],
    {unpack(KEYS, key, key + keys - 1)}, {unpack(ARGV, at + 3, at + 2 + args)})
  if not ok then answer = type(answer) == 'table' and answer.err or tostring(answer) end
  table.insert(answers, {ok and 1 or 0, answer})
  key = key + keys
  at = at + 3 + args
end
return answers`
  return { scripts, all: script(text) }
}

interface Waiting {
  keys: readonly string[]
  args: readonly (string | number)[]
  answered: PromiseWithResolvers<unknown>
}

const Answers = z.array(z.tuple([z.union([z.literal(0), z.literal(1)]), z.unknown()]))

/** Runs a script of the batch. `keys` has all its keys; on a cluster those of all scripts must be in one slot. */
export type RunBatched<Name extends string> = (
  name: Name,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<unknown>

export function createBatch<Name extends string>(
  redis: RedisClient,
  { all }: BatchScript<Name>,
): RunBatched<Name> {
  let waiting: Waiting[] = []

  async function send(batch: readonly Waiting[]) {
    const keys = batch.flatMap((one) => one.keys)
    const args = batch.flatMap((one) => one.args)
    try {
      const answers = Answers.parse(await runScript(redis, all, keys, args))
      for (const [i, { answered }] of batch.entries()) {
        const [ok, answer] = answers[i] ?? [0, 'Redis answered too little']
        if (ok === 1) answered.resolve(answer)
        else answered.reject(new Error(String(answer)))
      }
    } catch (cause) {
      for (const { answered } of batch) answered.reject(cause)
    }
  }
  function sendAll() {
    const asked = waiting
    waiting = []
    for (let i = 0; i < asked.length; i += MOST_AT_ONCE) void send(asked.slice(i, i + MOST_AT_ONCE))
  }
  return (name, keys, args) => {
    const answered = Promise.withResolvers<unknown>()
    if (waiting.length === 0) setImmediate(sendAll)
    waiting.push({ keys, args: [name, keys.length, args.length, ...args], answered })
    return answered.promise
  }
}
