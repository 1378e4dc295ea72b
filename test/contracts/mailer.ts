/** What every driver that delivers login codes does. */
import { describe, expect, test } from 'vitest'
import { codeMail } from '../../core/auth/mail.ts'
import type { Mailer } from '../../core/ports.ts'

export interface Delivery {
  sender: Mailer
  /** What arrived: to whom, and a text that holds the code. */
  arrived(): Promise<{ to: string; text: string }[]>
  /** Makes the other side refuse what comes next; missing where there is no other side. */
  refuse?(): void
  /** Makes the other side never answer. */
  hang?(): void
  stop(): Promise<void>
}

export const MAIL = codeMail({ to: 'ann@corp.test', code: 'BCDFGHJK', validMs: 300_000, itcode: 'ann' })

export function mailerContract(name: string, start: () => Promise<Delivery>) {
  describe(`codes by ${name}`, () => {
    test('arrive, once, with the code as it is', async () => {
      const { sender, arrived, stop } = await start()
      await sender.send(MAIL)
      const [mail, ...more] = await arrived()
      expect([mail?.to, more]).toEqual(['ann@corp.test', []])
      expect(mail?.text).toContain('BCDFGHJK')
      await stop()
    })

    test('that are not taken over are an error', async (context) => {
      const { sender, refuse, stop } = await start()
      if (!refuse) return context.skip('there is no other side')
      refuse()
      await expect(sender.send(MAIL)).rejects.toThrow()
      await stop()
    })

    test('are given up after 5 seconds', async (context) => {
      const { sender, hang, stop } = await start()
      if (!hang) return context.skip('there is no other side')
      hang()
      const before = performance.now()
      await expect(sender.send(MAIL)).rejects.toThrow()
      expect(performance.now() - before).toBeLessThan(7_000)
      await stop()
    })
  })
}
