/** The pages of the dashboard that everybody has, and those of administrators. */
export const OWN_PAGES = [
  '/',
  '/keys',
  '/usage',
  '/usage/requests/req_none',
  '/usage/sessions/1-none',
  '/statement',
  '/models',
  '/requests',
  '/connect',
]
export const ADMIN_PAGES = [
  '/admin',
  '/admin/users',
  '/admin/users/2',
  '/admin/requests',
  '/admin/explore',
  '/admin/usage',
  '/admin/statements',
  '/admin/statements/0',
  '/admin/devices',
  '/admin/policies',
  '/admin/policies/new',
  '/admin/backends',
  '/admin/notices',
  '/admin/audit',
]
