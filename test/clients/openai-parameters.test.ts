import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openAiParameters, WRITTEN } from './openai-parameters.ts'

test("the parameters that the reference is checked against are those of OpenAI's SDK", () => {
  // Else: node test/clients/openai-parameters.ts
  expect(JSON.parse(readFileSync(WRITTEN, 'utf8'))).toEqual(openAiParameters())
})
