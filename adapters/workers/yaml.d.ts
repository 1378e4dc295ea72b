/** A rule in wrangler.toml imports these files as text. */
declare module '*.yaml' {
  const text: string
  export default text
}
