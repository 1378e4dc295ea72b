/** What a program does with batches, files and skills of Anthropic's SDK, pointed at the gateway. */
import Anthropic, { toFile } from '@anthropic-ai/sdk'

const { BASE_URL, API_KEY, MODEL } = process.env
const client = new Anthropic({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 })
const { batches } = client.messages
const all = async (list) => {
  const items = []
  for await (const item of list) items.push(item)
  return items
}
const failure = async (call) => {
  try {
    await call
    return null
  } catch (thrown) {
    return { kind: thrown.constructor.name, status: thrown.status }
  }
}
const ask = (content) => ({ model: MODEL, max_tokens: 100, messages: [{ role: 'user', content }] })
const request = (custom_id, content) => ({ custom_id, params: ask(content) })
const ended = async (id) => {
  for (;;) {
    const batch = await batches.retrieve(id)
    if (batch.processing_status === 'ended') return batch
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const requests = [request('one', 'Hello'), request('two', '[errored]'), request('three', 'Bye')]
const batch = await batches.create({ requests })
const early = await failure(batches.delete(batch.id))
const others = []
for (const name of ['a', 'b']) others.push(await batches.create({ requests: [request(name, name)] }))
const cancelling = await batches.cancel(others[1].id)
const counts = (await ended(batch.id)).request_counts
const results = await all(await batches.results(batch.id))
const cancelled = await all(await batches.results((await ended(others[1].id)).id))
const listed = await all(batches.list({ limit: 2 }))
const ofBeta = await all(client.beta.messages.batches.list({ limit: 2 }))
const noBatch = await batches.delete(batch.id)
const goneBatch = await failure(batches.retrieve(batch.id))

const files = []
for (const name of ['a.txt', 'ü b.txt', 'c.txt']) {
  files.push(
    await client.files.upload({
      file: await toFile(Buffer.from(`in ${name}`), name, { type: 'text/plain' }),
    }),
  )
}
const file = files[1].id
const metadata = await client.files.retrieveMetadata(file)
const content = await (await client.files.download(file)).text()
const source = { type: 'file', file_id: file }
const named = await client.messages.create(
  ask([
    { type: 'document', source },
    { type: 'text', text: 'Read it' },
  ]),
)
const noFile = await client.files.delete(file)
const goneFile = await failure(client.files.retrieveMetadata(file))
const left = await all(client.files.list({ limit: 1 }))
const leftOfBeta = await all(client.beta.files.list({ limit: 1 }))

const skillFile = async (text) => toFile(Buffer.from(text), 'greet/SKILL.md', { type: 'text/markdown' })
const skill = await client.skills.create({ display_name: 'Greet', files: [await skillFile('Say hello.')] })
const version = await client.skills.versions.create(skill.id, { files: [await skillFile('Say hi.')] })
const kept = await client.skills.retrieve(skill.id)
const one = await client.skills.versions.retrieve(version.version, { skill_id: skill.id })
const zip = await client.beta.skills.versions.download(version.version, { skill_id: skill.id })
const versions = await all(client.skills.versions.list(skill.id, { limit: 1 }))
const custom = await all(client.skills.list({ source: 'custom', limit: 1 }))
const everyone = await all(client.beta.skills.list({ limit: 1 }))
const tooEarly = await failure(client.skills.delete(skill.id))
for (const { version: each } of versions) await client.skills.versions.delete(each, { skill_id: skill.id })
const noSkill = await client.skills.delete(skill.id)
const goneSkill = await failure(client.skills.retrieve(skill.id))

console.log(
  JSON.stringify({
    made: batch.processing_status,
    cancelling: cancelling.processing_status,
    counts,
    results: results.map(({ custom_id, result }) => [
      custom_id,
      result.type,
      result.message?.content[0].text ?? '',
    ]),
    cancelled: cancelled.map(({ result }) => result.type),
    listed: listed.map(({ id }) => [batch, ...others].findIndex((each) => each.id === id)),
    ofBeta: ofBeta.length,
    files: [metadata.filename, metadata.size_bytes, content, named.stop_reason],
    left: left.map(({ filename }) => filename),
    leftOfBeta: leftOfBeta.length,
    skill: [kept.display_name, one.skill_id === skill.id, (await zip.text()).slice(0, 2)],
    versions: versions.length,
    skills: [custom.length, everyone.map(({ source }) => source)],
    types: [noBatch.type, noFile.type, noSkill.type],
    failures: { early, tooEarly, goneBatch, goneFile, goneSkill },
  }),
)
