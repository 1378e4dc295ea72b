import { redirect } from '@sveltejs/kit'

/** Where the queue was before it had requests for more beside applications. */
export const load = () => redirect(307, '/admin/requests')
