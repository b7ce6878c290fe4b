import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { startProduct, type Product } from './product.ts'
import { stepsOf, type Step } from './console-blocks.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Runs a page's commands in one shell after the other, from the project's folder, against a product of their own. `npm start` stands for
 * starting it: its output is the greeting.
 */
export async function runPage(markdown: string): Promise<readonly Step[]> {
  let product: Product | null = null
  const done: Step[] = []
  const variables: { [name: string]: string } = {}
  try {
    for (const { command } of stepsOf(markdown)) {
      if (/npm (ci|start)|kill -9/.test(command)) {
        if (command.includes('kill -9') && product !== null) {
          const { dataFolder } = product
          await product.kill('SIGKILL')
          product = await startProduct({ dataFolder, keep: true })
          done.push({ command, output: '', exit: 0 })
        } else {
          product ??= await startProduct()
          done.push({ command, output: asDefault(greetingOf(product.printed()), product), exit: 0 })
        }
        continue
      }
      if (product === null) throw new Error(`the page runs \`${command}\` before it starts the product`)
      const assigned = /^([A-Z]+)=\$\((.*)\)$/.exec(command)
      const run = await shell(forPorts(assigned === null ? command : (assigned[2] as string), product), { ...product.env, ...variables })
      if (assigned !== null) variables[assigned[1] as string] = run.output.trim()
      done.push({ command, output: assigned === null ? asDefault(run.output, product) : '', exit: run.exit })
    }
  } finally {
    await product?.[Symbol.asyncDispose]()
  }
  return done
}

function forPorts(command: string, { url }: Product): string {
  return command.replaceAll('http://localhost:8010', url.platform).replaceAll('localhost:8010', url.platform.replace('http://', '')).replaceAll('localhost:8005', url.compliance.replace('http://', ''))
}

/** An output as it is with the default ports, in a clone of the project. */
function asDefault(output: string, { url, dataFolder }: Product): string {
  const ports = [[url.platform, '8010'], [url.auth, '8000'], [url.synthesis, '8004'], [url.compliance, '8005']] as const
  return ports.reduce((text, [each, port]) => text.replaceAll(new URL(each).port, port), output).replaceAll(dataFolder, './data')
}

/** The greeting without the log lines around it. */
function greetingOf(printed: string): string {
  return printed.split('\n').filter((line) => !line.startsWith('{')).join('\n').replace(/^\n+|\n+$/g, '')
}

function shell(command: string, env: { readonly [name: string]: string }): Promise<{ output: string; exit: number }> {
  return new Promise((resolve) => {
    execFile('sh', ['-c', command], { cwd: ROOT, env: { ...process.env, DATABASE_URL: '', ...env }, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ output: `${stdout}${stderr}`.trimEnd(), exit: error === null ? 0 : typeof error.code === 'number' ? error.code : 1 })
    })
  })
}
