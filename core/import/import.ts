/**
 * Imports users, keys, usage and applications from the database of the original Go gateway. The keys keep working. Ids are
 * kept where they are free. Rows that exist already stay as they are, so that a second run changes nothing.
 */
import { auditRow, COMMAND_LINE } from '../audit/record.ts'
import { importApplications, importUsage } from './history.ts'
import { importKeys, importUsers } from './people.ts'
import type { ImportParts, ImportReport } from './rows.ts'

export async function importGateway(parts: ImportParts): Promise<ImportReport> {
  const none = () => ({ users: 0, api_keys: 0, usage_logs: 0, applications: 0 })
  const report: ImportReport = { added: none(), present: none(), skipped: [] }
  const userIds = await importUsers(parts, report)
  const keyIds = await importKeys(parts, report, userIds)
  await importApplications(parts, report, userIds)
  await importUsage(parts, report, userIds, keyIds)
  const at = parts.clock.now()
  if (Object.values(report.added).some((n) => n > 0)) {
    const what = { action: 'import', target: 'gateway.db', after: report.added } as const
    await auditRow(parts.db, { actor: COMMAND_LINE, at, ...what })
  }
  return report
}
