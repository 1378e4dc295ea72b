/** Parameters that both of OpenAI's interfaces have. */
import { carried, carriedAs, type Parameter, refused, warned } from './parameter.ts'

export const SHARED: readonly Parameter[] = [
  ...carried('model', 'stream', 'tools', 'tool_choice', 'parallel_tool_calls'),
  carriedAs('temperature', 'at most 1, on models that take it and while they do not think'),
  carriedAs('top_p', 'not beside temperature'),
  carriedAs('user', 'as a pseudonym of the caller'),
  carriedAs('safety_identifier', 'as a pseudonym of the caller'),
  carriedAs('prompt_cache_key', 'calls with one key stay on one backend'),
  carriedAs('prompt_cache_options', 'explicit: nothing is cached that is not marked'),
  ...carried('prompt_cache_options.mode'),
  warned('prompt_cache_options.ttl', 'what is cached unasked stays for five minutes', '30m'),
  warned('prompt_cache_retention', 'marks keep for an hour'),
  carriedAs('service_tier', 'fast and priority are speed: fast where the model has it; others are warned of'),
  carriedAs('speed', "Claude's own: fast where the model has it"),
  carriedAs('thinking', "Claude's own, of the types that the model takes"),
  warned('moderation', 'Claude has its own safeguards'),
  warned('stream_options.include_obfuscation', 'streams are not padded', false),
  refused('top_logprobs', 'Claude tells no probabilities', 0),
]

/** Members of a part of content. */
export const MARK: readonly Parameter[] = [
  carriedAs('prompt_cache_breakpoint', 'kept for an hour; the last four count'),
  ...carried('prompt_cache_breakpoint.mode'),
  warned('prompt_cache_breakpoint.ttl', 'the cache keeps for an hour', '30m'),
  carriedAs('cache_control', "Claude's own; the last four marks count"),
  ...carried('cache_control.type', 'cache_control.ttl'),
]
