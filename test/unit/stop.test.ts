import { expect, test } from 'vitest'
import { createStop } from '../../core/stop.ts'

test('tells each listener once, in order, with the first reason', () => {
  const stop = createStop()
  const heard: string[] = []
  stop.signal.addEventListener('abort', () => void heard.push(`one ${stop.signal.reason}`))
  stop.signal.addEventListener('abort', () => void heard.push('two'))
  expect(stop.signal.aborted).toBe(false)
  stop.abort('left')
  stop.abort('again')
  expect(heard).toEqual(['one left', 'two'])
  expect(stop.signal).toMatchObject({ aborted: true, reason: 'left' })
})

test('does not tell a listener that was taken away', () => {
  const stop = createStop()
  const heard: string[] = []
  const gone = () => void heard.push('gone')
  stop.signal.addEventListener('abort', gone)
  stop.signal.removeEventListener('abort', gone)
  stop.signal.removeEventListener('abort', gone)
  stop.signal.addEventListener('abort', () => void heard.push('there'))
  stop.abort('left')
  expect(heard).toEqual(['there'])
})
