/** One command of a page, and what the page says it prints. */
export type Step = { readonly command: string; readonly output: string; readonly exit: number }

/**
 * The ```console blocks of a page, in order: lines that begin with `$ ` are commands (a line that ends with `\` goes on), what follows is
 * their output. A last line `exit N` says that the command leaves with that status.
 */
export function stepsOf(markdown: string): readonly Step[] {
  return blocks(markdown).flatMap((block) => steps(block))
}

/** The page with every output replaced by what the commands printed now. */
export function withOutputs(markdown: string, outputs: readonly Step[]): string {
  let next = 0
  return markdown.replace(BLOCK, (_whole, body: string) => {
    const rewritten = steps(body).map(({ command }) => {
      const { output, exit } = outputs[next++] as Step
      return [`$ ${command}`, ...(output === '' ? [] : [output]), ...(exit === 0 ? [] : [`exit ${exit}`])].join('\n')
    })
    return `\`\`\`console\n${rewritten.join('\n')}\n\`\`\``
  })
}

/** What of an output is the same at every run: ids, digests, times, pids and ports are not. */
export function lasting(output: string): string {
  return output
    .replace(/\b[0-9a-f]{8}(?=\.N\d)/g, '<certificate>')
    .replace(/\b[0-9a-f]{16,64}\b/g, (hex) => (hex === 'cdd01ef066bc6cf2' ? hex : '<hex>'))
    .replace(/\b\d+(\.\d+)? (ms|s)\b/g, '<time>')
    .replace(/pid \d+/g, 'pid <pid>')
    .replace(/(:|port )\d{4,5}\b/g, '$1<port>')
    .replace(/\/\S*\/data\b/g, '<data>')
    .trimEnd()
}

const BLOCK = /```console\n([\s\S]*?)\n```/g

function blocks(markdown: string): readonly string[] {
  return [...markdown.matchAll(BLOCK)].map((match) => match[1] as string)
}

function steps(block: string): readonly Step[] {
  const found: { command: string; output: string[]; exit: number }[] = []
  let isCommand = false
  for (const line of block.split('\n')) {
    const last = found.at(-1)
    const left = /^exit (\d+)$/.exec(line)
    if (line.startsWith('$ ')) found.push({ command: line.slice(2), output: [], exit: 0 })
    else if (last !== undefined && isCommand && last.command.endsWith('\\')) last.command += `\n${line}`
    else if (last !== undefined && left !== null) last.exit = Number(left[1])
    else last?.output.push(line)
    isCommand = line.startsWith('$ ') || (isCommand && (last?.command.endsWith('\\') ?? false))
  }
  return found.map(({ command, output, exit }) => ({ command, output: output.join('\n'), exit }))
}
