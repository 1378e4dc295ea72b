import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { PostAnswer, PostRequest } from '../../../adapters/drivers/notifier/format.ts'
import { createNotifier } from '../../../adapters/drivers/notifier/notifier.ts'
import type { Message } from '../../../core/notices/message.ts'
import type { ChannelTarget } from '../../../core/ports.ts'

const NOW = Date.parse('2026-11-26T10:00:00.500Z')
const TARGET = { url: 'https://chat.test/hook?token=a', secret: undefined, language: 'en' } as const
const MESSAGE: Message = {
  id: '7',
  event: 'increase.made',
  at: NOW - 1_000,
  tone: 'info',
  title: { en: 'Ann asks for a higher limit', zh: 'Ann 申请提高限额' },
  facts: [
    { label: { en: 'Period', zh: '周期' }, value: { en: 'monthly', zh: '每月' } },
    { label: { en: 'Reason', zh: '理由' }, value: '<!channel> [win](https://evil.test) & *more*' },
  ],
  link: { label: { en: 'Decide', zh: '去处理' }, url: 'https://gateway.test/requests#request-7' },
  data: { request_id: 7 },
}
const OK: Record<ChannelTarget['kind'], PostAnswer> = {
  webhook: { status: 204, text: '' },
  slack: { status: 200, text: 'ok' },
  feishu: { status: 200, text: '{"code":0,"msg":"success","data":{}}' },
  dingtalk: { status: 200, text: '{"errcode":0,"errmsg":"ok"}' },
  wecom: { status: 200, text: '{"errcode":0,"errmsg":"ok"}' },
}

async function sent(target: ChannelTarget, answer = OK[target.kind], message = MESSAGE) {
  const requests: PostRequest[] = []
  const post = async (request: PostRequest) => {
    requests.push(request)
    return answer
  }
  await createNotifier({ post, clock: { now: () => NOW } }).send(target, message)
  const [request] = requests
  return { url: '', headers: {}, ...request, body: JSON.parse(request?.body ?? '') }
}

describe('a message has the form of', () => {
  test("the company's own programs", async () => {
    const { headers, body } = await sent({ ...TARGET, kind: 'webhook', secret: 'shared' })
    expect(body).toEqual({
      id: '7',
      event: 'increase.made',
      at: '2026-11-26T09:59:59.500Z',
      title: 'Ann asks for a higher limit',
      link: 'https://gateway.test/requests#request-7',
      data: { request_id: 7 },
    })
    const signed = createHmac('sha256', 'shared').update(`1795687200.${JSON.stringify(body)}`)
    expect(headers).toEqual({
      'content-type': 'application/json; charset=utf-8',
      'x-claude-gateway-timestamp': '1795687200',
      'x-claude-gateway-signature': signed.digest('hex'),
    })
  })

  test('Slack, where what people wrote is no markup', async () => {
    expect((await sent({ ...TARGET, kind: 'slack' })).body).toEqual({
      text: 'Ann asks for a higher limit',
      blocks: [
        {
          type: 'header',
          text: { type: 'plain_text', text: 'Ann asks for a higher limit', emoji: false },
        },
        {
          type: 'section',
          fields: [
            { type: 'mrkdwn', text: '*Period*\nmonthly', verbatim: true },
            {
              type: 'mrkdwn',
              text: '*Reason*\n&lt;!channel&gt; [win](https://evil.test) &amp; *more*',
              verbatim: true,
            },
          ],
        },
        {
          type: 'actions',
          elements: [
            {
              type: 'button',
              text: { type: 'plain_text', text: 'Decide', emoji: false },
              url: 'https://gateway.test/requests#request-7',
            },
          ],
        },
      ],
    })
  })

  test('Slack, however much of it is escaped', async () => {
    const long: Message = { ...MESSAGE, title: { en: `${'x'.repeat(149)}😀`, zh: '' } }
    const facts = [{ label: { en: 'Reason', zh: '理由' }, value: '&'.repeat(500) }]
    const { body } = await sent({ ...TARGET, kind: 'slack' }, OK.slack, { ...long, facts })
    const [{ text: title }, { fields }] = body.blocks
    expect([title.text.length, title.text.isWellFormed()]).toEqual([150, true])
    expect(fields[0].text).toMatch(/^\*Reason\*\n(&amp;)+…$/)
    expect(fields[0].text.length).toBeLessThanOrEqual(2_000)
  })

  test('Feishu, signed where it has a secret', async () => {
    const { body } = await sent({ ...TARGET, kind: 'feishu', secret: 'word', language: 'zh' })
    expect(body).toEqual({
      timestamp: '1795687200',
      sign: createHmac('sha256', '1795687200\nword').update('').digest('base64'),
      msg_type: 'interactive',
      card: {
        config: { wide_screen_mode: true },
        header: { title: { tag: 'plain_text', content: 'Ann 申请提高限额' }, template: 'blue' },
        elements: [
          {
            tag: 'div',
            fields: [
              { is_short: false, text: { tag: 'plain_text', content: '周期：每月' } },
              {
                is_short: false,
                text: { tag: 'plain_text', content: '理由：<!channel> [win](https://evil.test) & *more*' },
              },
            ],
          },
          {
            tag: 'action',
            actions: [
              {
                tag: 'button',
                text: { tag: 'plain_text', content: '去处理' },
                type: 'primary',
                url: 'https://gateway.test/requests#request-7',
              },
            ],
          },
        ],
      },
    })
    expect((await sent({ ...TARGET, kind: 'feishu' })).body).not.toHaveProperty('sign')
  })

  test('DingTalk, signed in its address where it has a secret', async () => {
    const { url, body } = await sent({ ...TARGET, kind: 'dingtalk', secret: 'SECword' })
    expect(body).toEqual({
      msgtype: 'actionCard',
      actionCard: {
        title: 'Ann asks for a higher limit',
        text: '### Ann asks for a higher limit\n\n**Period**: monthly\n\n**Reason**: ＜！channel＞ ［win］(https://evil.test) & ＊more＊',
        btnOrientation: '0',
        singleTitle: 'Decide',
        singleURL: 'https://gateway.test/requests#request-7',
      },
    })
    const { searchParams } = new URL(url)
    expect(Object.fromEntries(searchParams)).toEqual({
      token: 'a',
      timestamp: String(NOW),
      sign: createHmac('sha256', 'SECword').update(`${NOW}\nSECword`).digest('base64'),
    })
  })

  test('WeCom, within its 4,096 bytes and always with the link', async () => {
    const [head, foot] = [
      '### Ann asks for a higher limit',
      '[Decide](https://gateway.test/requests#request-7)',
    ]
    expect((await sent({ ...TARGET, kind: 'wecom' })).body).toEqual({
      msgtype: 'markdown',
      markdown: {
        content: `${head}\n> Period: monthly\n> Reason: ＜！channel＞ ［win］(https://evil.test) & ＊more＊\n${foot}`,
      },
    })
    const fact = { label: { en: 'Long', zh: '长' }, value: '长'.repeat(1_000) }
    const long = await sent({ ...TARGET, kind: 'wecom' }, OK.wecom, { ...MESSAGE, facts: [fact, fact] })
    expect(long.body.markdown.content).toBe(`${head}\n> Long: ${fact.value}\n${foot}`)
  })
})

test.each<[ChannelTarget['kind'], PostAnswer, string]>([
  ['webhook', { status: 307, text: '' }, 'it answered 307'],
  ['slack', { status: 404, text: 'no_service' }, 'it answered 404: no_service'],
  ['slack', { status: 500, text: '<html>' }, 'it answered 500'],
  [
    'feishu',
    { status: 200, text: '{"code":19021,"msg":"sign match fail"}' },
    'it answered 19021: sign match fail',
  ],
  [
    'dingtalk',
    { status: 200, text: '{"errcode":310000,"errmsg":"sign not match"}' },
    'it answered 310000: sign not match',
  ],
  ['wecom', { status: 200, text: 'no JSON' }, 'it answered 200'],
])('what %s answers with %j is an error that tells it', async (kind, answer, problem) => {
  await expect(sent({ ...TARGET, kind, secret: 'word' }, answer)).rejects.toThrow(problem)
})
