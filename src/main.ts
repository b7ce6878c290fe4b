import { Command, CommanderError } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { EXIT, refuseUnknown, report } from './cli/terminal.ts'

/** Every command is loaded only when it is asked for: an answer on the command line should not wait for a web server to load. */
const COMMANDS: { readonly [name: string]: () => Promise<{ command: () => Command }> } = {
  serve: () => import('./cli/serve.ts'),
  generate: () => import('./cli/generate.ts'),
  synthesize: () => import('./cli/synthesize.ts'),
  prove: () => import('./cli/prove.ts'),
  lint: () => import('./cli/lint.ts'),
  stabilizers: () => import('./cli/stabilizers.ts'),
  inject: () => import('./cli/inject.ts'),
  weights: () => import('./cli/weights.ts'),
  diff: () => import('./cli/diff.ts'),
  decide: () => import('./cli/decide.ts'),
  conformance: () => import('./cli/conformance.ts'),
  evaluate: () => import('./cli/evaluate.ts'),
  app: () => import('./cli/app.ts'),
  entities: () => import('./cli/entities.ts'),
  revision: () => import('./cli/revision.ts'),
  certificate: () => import('./cli/certificate.ts'),
  oracle: () => import('./cli/oracle.ts'),
  verify: () => import('./cli/verify.ts'),
  constitution: () => import('./cli/constitution.ts'),
  ledger: () => import('./cli/ledger.ts'),
  config: () => import('./cli/config.ts'),
  token: () => import('./cli/token.ts'),
  keys: () => import('./cli/keys.ts'),
  ops: () => import('./cli/ops.ts'),
  migrate: () => import('./cli/migrate.ts'),
  reset: () => import('./cli/reset.ts'),
}

const program = new Command('acgs')
  .description('From a governance request in plain language to an enforceable policy that is proven to obey a constitution.')
  .version(packageJson.version, '--version')
  .addHelpText('after', '\nExample:\n  ./acgs generate examples/clinic.json --out out/clinic\n\nEvery command has a help of its own, with an example: ./acgs COMMAND --help')
  .showHelpAfterError('(run with --help for what there is)')
  .exitOverride()

// Whoever reads the beginning of what is printed need not read its end.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

const args = process.argv.slice(2)
const asked = args[0] === 'help' ? args[1] : args[0]
const wanted = asked !== undefined && Object.hasOwn(COMMANDS, asked) ? [asked] : Object.keys(COMMANDS)
try {
  for (const name of wanted) program.addCommand((await (COMMANDS[name] as () => Promise<{ command: () => Command }>)()).command())
  refuseUnknown(program, args)
  await program.parseAsync(args, { from: 'user' })
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.yes : EXIT.usage
  else process.exitCode = report(error, { json: args.includes('--json') })
}
