/** What a channel or person is told of a notice, in every language. Drivers put it into the form of their chat. */
import type { NoticeEvent } from './events.ts'

export const LANGUAGES = ['en', 'zh'] as const
export type Language = (typeof LANGUAGES)[number]
export type Text = Readonly<Record<Language, string>>

export interface Fact {
  label: Text
  /** A text of people is one line, without control characters; its markup is none. */
  value: Text | string
}

export interface Message {
  /** The same for every attempt, so that a receiver knows what it has already. */
  id: string
  event: NoticeEvent | 'test'
  /** Ms since 1970. */
  at: number
  tone: 'info' | 'good' | 'warning' | 'bad'
  title: Text
  facts: readonly Fact[]
  /** Where the decision is made; undefined where the gateway does not know its own address. */
  link: { label: Text; url: string } | undefined
  /** For programs: names as in the API. */
  data: Readonly<Record<string, unknown>>
}

/** A channel answered, and takes this message as little when it is sent again. Its text may be shown. */
export class MessageRefused extends Error {}

export function inLanguage(text: Text | string, language: Language): string {
  return typeof text === 'string' ? text : text[language]
}

const LONGEST_VALUE = 400

/** A text of people as one line: without line ends and control characters, and not too long for any chat. */
export function oneLine(text: string): string {
  const line = text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
  return line.length > LONGEST_VALUE ? `${line.slice(0, LONGEST_VALUE).toWellFormed()}…` : line
}
