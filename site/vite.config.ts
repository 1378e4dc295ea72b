import adapter from '@sveltejs/adapter-static'
import { sveltekit } from '@sveltejs/kit/vite'
import tailwindcss from '@tailwindcss/vite'
import { defineConfig } from 'vite'
import { VERSION } from '../adapters/shared/version.ts'

export default defineConfig({
  define: { GATEWAY_VERSION: JSON.stringify(VERSION) },
  // The policy below takes fonts as files only, also small ones.
  build: { assetsInlineLimit: 0 },
  // The guides.
  server: { fs: { allow: ['../adapters'] } },
  plugins: [
    tailwindcss(),
    sveltekit({
      adapter: adapter({ pages: 'build', fallback: 'index.html' }),
      // Nothing from outside, nothing inline but the one script whose hash the page carries.
      csp: {
        mode: 'hash',
        directives: {
          'default-src': ['none'],
          'script-src': ['self'],
          'style-src': ['self'],
          'font-src': ['self'],
          'style-src-attr': [
            'unsafe-hashes',
            // The hidden line by which SvelteKit tells screen readers of a new page.
            'sha256-S8qMpvofolR8Mpjy4kQvEm7m1q8clzU4dfDH0AmvZjo=',
            // `display: contents;` of the items of bits-ui's command list.
            'sha256-iaOezIDcQIoxCULa6FBKKuLUu09R7kG+Mlu+JVfU3Rw=',
          ],
          'img-src': ['self', 'data:'],
          'connect-src': ['self'],
          'base-uri': ['none'],
          'form-action': ['self'],
        },
      },
    }),
  ],
})
