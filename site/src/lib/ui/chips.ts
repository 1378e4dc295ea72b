/** A filter of a list, as words say it. */
export interface FilterWords {
  /** What addresses call it. */
  filter: string
  label: string
  /** The values that it takes, where they are few; others are called as they are. */
  options?: readonly { value: string; name: string }[]
  /** What a value is called, where they are many. */
  nameOf?: (value: string) => string | Promise<string>
}
