/** The version of the gateway that this site was built with (vite.config.ts). */
declare const GATEWAY_VERSION: string
