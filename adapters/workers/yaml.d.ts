/** wrangler.toml makes text of these files. */
declare module '*.yaml' {
  const text: string
  export default text
}
