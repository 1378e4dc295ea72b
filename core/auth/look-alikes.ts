/**
 * Names that look like other names. As in Unicode's "highly restrictive" level, all letters must be of one script, except
 * that Latin may stand beside Chinese, Japanese or Korean (https://www.unicode.org/reports/tr39/#Restriction_Level_Detection).
 */

/** Scripts in daily use (https://www.unicode.org/reports/tr31/#Table_Recommended_Scripts). */
const SCRIPTS = [
  'Latin',
  'Greek',
  'Cyrillic',
  'Armenian',
  'Georgian',
  'Hebrew',
  'Arabic',
  'Thaana',
  'Ethiopic',
  'Devanagari',
  'Bengali',
  'Gurmukhi',
  'Gujarati',
  'Oriya',
  'Tamil',
  'Telugu',
  'Kannada',
  'Malayalam',
  'Sinhala',
  'Thai',
  'Lao',
  'Tibetan',
  'Myanmar',
  'Khmer',
]
const TOGETHER = [
  ...SCRIPTS.map((script) => [script]),
  ['Latin', 'Han', 'Hiragana', 'Katakana'],
  ['Latin', 'Han', 'Bopomofo'],
  ['Latin', 'Han', 'Hangul'],
]
const ONE_READING = TOGETHER.map(
  (scripts) =>
    new RegExp(`^[${scripts.map((script) => `\\p{Script_Extensions=${script}}`).join('')}]*$`, 'u'),
)
/** Digits, dots and other characters that belong to every script. */
const COMMON = /[\p{Script_Extensions=Common}\p{Script_Extensions=Inherited}]/gu
/** Phonetic letters, dotless i and j: they are Latin and look like plain letters. */
const ODD_LATIN = /[ıȷ\u0250-\u02af\u1d00-\u1dbf\u2c60-\u2c7f\ua720-\ua7ff\uab30-\uab6f]/u
/** Greek, Cyrillic and Armenian letters shaped like Latin ones: a name of only these looks Latin. */
const LATIN_IN_SHAPE = /^[αγινορυ\u03f2асԁеһіјӏорԛѕухѵԝոսօհցքզ]+$/u

/** Whether `name` (lower case) could be mistaken for another one. */
export function looksLikeAnother(name: string): boolean {
  const letters = name.replaceAll(COMMON, '')
  if (ODD_LATIN.test(letters) || LATIN_IN_SHAPE.test(letters)) return true
  return !ONE_READING.some((reading) => reading.test(letters))
}
