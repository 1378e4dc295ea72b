/** The pages, as menus and the command palette show them. */
import Activity from '@lucide/svelte/icons/activity'
import Bell from '@lucide/svelte/icons/bell'
import Boxes from '@lucide/svelte/icons/boxes'
import ChartColumn from '@lucide/svelte/icons/chart-column'
import ChartColumnStacked from '@lucide/svelte/icons/chart-column-stacked'
import ChartNoAxesCombined from '@lucide/svelte/icons/chart-no-axes-combined'
import CircleUser from '@lucide/svelte/icons/circle-user'
import House from '@lucide/svelte/icons/house'
import Inbox from '@lucide/svelte/icons/inbox'
import KeyRound from '@lucide/svelte/icons/key-round'
import KeySquare from '@lucide/svelte/icons/key-square'
import Laptop from '@lucide/svelte/icons/laptop'
import MessageSquareText from '@lucide/svelte/icons/message-square-text'
import Network from '@lucide/svelte/icons/network'
import Plug from '@lucide/svelte/icons/plug'
import ReceiptText from '@lucide/svelte/icons/receipt-text'
import Rocket from '@lucide/svelte/icons/rocket'
import ScrollText from '@lucide/svelte/icons/scroll-text'
import Server from '@lucide/svelte/icons/server'
import ShieldCheck from '@lucide/svelte/icons/shield-check'
import Users from '@lucide/svelte/icons/users'
import UsersRound from '@lucide/svelte/icons/users-round'
import Wallet from '@lucide/svelte/icons/wallet'
import type { Component } from 'svelte'
import type { Key } from './i18n/index.svelte.ts'
import type { AdminRole } from './session.svelte.ts'

export interface Place {
  href: string
  name: Key
  icon: Component<{ size?: number | string }>
}

/** A page of administrators, with the role that it takes at least: billing, auditor or admin. */
export interface AdminPlace extends Place {
  role: AdminRole
}

export const OWN: readonly Place[] = [
  { href: '/', name: 'nav.overview', icon: House },
  { href: '/start', name: 'nav.start', icon: Rocket },
  { href: '/keys', name: 'nav.keys', icon: KeyRound },
  { href: '/usage', name: 'nav.usage', icon: ChartColumn },
  { href: '/explore', name: 'nav.explore', icon: ChartColumnStacked },
  { href: '/statement', name: 'nav.statement', icon: ReceiptText },
  { href: '/models', name: 'nav.models', icon: Boxes },
  { href: '/playground', name: 'nav.playground', icon: MessageSquareText },
  { href: '/requests', name: 'nav.requests', icon: Wallet },
  { href: '/team', name: 'nav.team', icon: UsersRound },
  { href: '/account', name: 'nav.my_account', icon: CircleUser },
  { href: '/connect', name: 'nav.connect', icon: Plug },
]
export const ADMIN: readonly AdminPlace[] = [
  { href: '/admin', name: 'nav.admin.overview', icon: Activity, role: 'billing' },
  { href: '/admin/users', name: 'nav.admin.users', icon: Users, role: 'auditor' },
  { href: '/admin/groups', name: 'nav.admin.groups', icon: Network, role: 'billing' },
  { href: '/admin/requests', name: 'nav.admin.requests', icon: Inbox, role: 'auditor' },
  { href: '/admin/explore', name: 'nav.admin.explore', icon: ChartColumnStacked, role: 'billing' },
  { href: '/admin/usage', name: 'nav.admin.usage', icon: ChartNoAxesCombined, role: 'billing' },
  { href: '/admin/statements', name: 'nav.admin.statements', icon: ReceiptText, role: 'billing' },
  { href: '/admin/keys', name: 'nav.admin.keys', icon: KeyRound, role: 'auditor' },
  { href: '/admin/admin-keys', name: 'nav.admin.admin_keys', icon: KeySquare, role: 'auditor' },
  { href: '/admin/devices', name: 'nav.admin.devices', icon: Laptop, role: 'auditor' },
  { href: '/admin/policies', name: 'nav.admin.policies', icon: ScrollText, role: 'auditor' },
  { href: '/admin/backends', name: 'nav.admin.backends', icon: Server, role: 'auditor' },
  { href: '/admin/notices', name: 'nav.admin.notices', icon: Bell, role: 'auditor' },
  { href: '/admin/audit', name: 'nav.admin.audit', icon: ShieldCheck, role: 'auditor' },
]
