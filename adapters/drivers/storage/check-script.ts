/** `node check-script.ts DATABASE`: ends with 1 and says what is damaged. Table by table, so that no read lasts for long. */
import Database from 'libsql'
import * as z from 'zod'

const Names = z.array(z.object({ name: z.string() }))
const Results = z.array(z.looseObject({ quick_check: z.string() }))

const connection = new Database(process.argv[2] ?? '')
const tables = Names.parse(
  connection.prepare("select name from sqlite_master where type = 'table' and rootpage > 0").all(),
)
for (const { name } of tables) {
  const [result] = Results.parse(connection.pragma(`quick_check("${name.replaceAll('"', '""')}")`))
  if (result?.quick_check === 'ok') continue
  console.error(`${name}: ${result?.quick_check}`)
  process.exitCode = 1
}
