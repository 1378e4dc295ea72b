import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer } from 'smtp-server'
import { expect, test } from 'vitest'
import { logMail } from '../../adapters/drivers/mail/log.ts'
import { smtpMail } from '../../adapters/drivers/mail/smtp.ts'
import { webhookMail } from '../../adapters/drivers/mail/webhook.ts'
import { type Delivery, MAIL, mailerContract } from '../contracts/mailer.ts'
import { keptLogs } from '../support/logs.ts'

const portOf = (server: Pick<Server, 'address'>) => (server.address() as AddressInfo).port // it listens on a port

async function webhook(): Promise<Delivery & { redirect(): void; asked: IncomingMessage[] }> {
  const bodies: string[] = []
  const asked: IncomingMessage[] = []
  let status = 202
  const server = createServer(async (request, response) => {
    asked.push(request)
    let body = ''
    for await (const chunk of request) body += chunk
    if (status === 0) return
    bodies.push(body)
    response.writeHead(status, { location: '/elsewhere' }).end('thanks')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    asked,
    sender: webhookMail(`http://127.0.0.1:${portOf(server)}/send?team=a`),
    arrived: async () =>
      bodies.map((body) => JSON.parse(body)).map(({ email, html }) => ({ to: email, text: html })),
    refuse() {
      status = 500
    },
    hang() {
      status = 0
    },
    redirect() {
      status = 307
    },
    async stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function smtp(): Promise<Delivery & { mails: ParsedMail[] }> {
  const mails: ParsedMail[] = []
  let refuses = false
  const silent = createTcp(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    onAuth: ({ username, password }, _session, done) =>
      username === 'gateway' && password === 'word'
        ? done(null, { user: username })
        : done(new Error('wrong password')),
    onRcptTo: (_address, _session, done) => done(refuses ? new Error('no such mailbox') : undefined),
    onData(stream, _session, done) {
      simpleParser(stream).then((mail) => {
        mails.push(mail)
        done()
      }, done)
    },
    logger: false,
  })
  server.on('error', () => {})
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  const at = {
    host: '127.0.0.1',
    tls: false,
    user: 'gateway',
    password: 'word',
    from: 'Claude <c@corp.test>',
  }
  let sender = smtpMail({ ...at, port: portOf(server.server) })
  return {
    mails,
    sender: { delivers: true, send: (mail) => sender.send(mail) },
    arrived: async () =>
      mails.map((mail) => ({ to: [mail.to ?? []].flat()[0]?.text ?? '', text: mail.text ?? '' })),
    refuse() {
      refuses = true
    },
    hang() {
      sender = smtpMail({ ...at, port: portOf(silent) })
    },
    async stop() {
      silent.close()
      await new Promise<void>((resolve) => server.close(resolve))
    },
  }
}

async function log(): Promise<Delivery> {
  const logs = keptLogs()
  return {
    sender: logMail(logs),
    arrived: async () =>
      logs.lines.map(({ fields }) => ({ to: String(fields.to), text: String(fields.code) })),
    stop: async () => {},
  }
}

mailerContract('webhook', webhook)
mailerContract('SMTP, to a real server', smtp)
mailerContract('the log', log)

test('a webhook gets JSON with e-mail and HTML, and never leads the code elsewhere', async () => {
  const { sender, asked, redirect, stop } = await webhook()
  await sender.send(MAIL)
  expect(asked[0]).toMatchObject({
    method: 'POST',
    url: '/send?team=a',
    headers: { 'content-type': 'application/json' },
  })
  redirect()
  await expect(sender.send(MAIL)).rejects.toThrow('the mail service answered 307')
  expect(asked).toHaveLength(2)
  await stop()
})

test('a mail has a readable sender, subject and both forms of the text', async () => {
  const { sender, mails, stop } = await smtp()
  await sender.send(MAIL)
  expect(mails[0]).toMatchObject({
    subject: 'Claude Gateway 登录验证码 · Your sign-in code',
    text: expect.stringContaining('验证码 5 分钟内有效'),
    html: expect.stringContaining('<h1>BCDFGHJK</h1>'),
    from: { text: expect.stringMatching(/Claude.*c@corp\.test/) },
  })
  await stop()
})

test('an address cannot smuggle in another one', async () => {
  const { sender, mails, stop } = await smtp()
  const hostile = { ...MAIL, to: 'ann@corp.test>, <eve@evil.test' }
  await sender.send(hostile).catch(() => {})
  const recipients = mails.flatMap(({ to }) => [to ?? []].flat().flatMap(({ value }) => value))
  expect(recipients.filter(({ address }) => address === 'eve@evil.test')).toEqual([])
  await stop()
})
