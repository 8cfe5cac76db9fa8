/** The programs that read a tensor, one at a time, to copy. */

import { useState } from 'preact/hooks'
import type { TensorFacts } from '../../compute/facts.js'
import { programsFor } from './code.js'

// Milliseconds that the button says that it has copied.
const SAID = 1500

/** Tabs for the languages, and the program. */
export function CodePanel({
  tensor,
  file,
}: {
  readonly tensor: TensorFacts
  readonly file: string
}) {
  const [language, setLanguage] = useState('TypeScript')
  const [copied, setCopied] = useState(false)
  const programs = programsFor(tensor, file)
  const { text } = programs.find((program) => program.language === language)!
  const copy = async () => {
    await navigator.clipboard.writeText(text)
    setCopied(true)
    setTimeout(() => setCopied(false), SAID)
  }
  return (
    <div class="code">
      <div class="tools">
        <div class="choices" role="radiogroup" aria-label="Language">
          {programs.map((program) => (
            <label key={program.language}>
              <input
                type="radio"
                name="language"
                class="hidden"
                checked={program.language === language}
                onChange={() => setLanguage(program.language)}
              />
              <span>{program.language}</span>
            </label>
          ))}
        </div>
        <button type="button" onClick={copy}>
          {copied ? 'Copied' : 'Copy'}
        </button>
      </div>
      <pre tabIndex={0} role="region" aria-label={`${language} program`}>
        <code>{text}</code>
      </pre>
    </div>
  )
}
