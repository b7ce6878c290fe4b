import { Option } from 'commander'
import type { Command } from 'commander'
import { readConfig } from '#config'
import { ROLES } from '#http/contract.ts'
import type { Role } from '#http/contract.ts'
import { obtainToken } from '#services/auth/obtain-token.ts'
import { EXIT, finish, newCommand } from './terminal.ts'

type Options = { role: Role; data?: string; config?: string; json?: boolean; quiet?: boolean }

export function command(): Command {
  return newCommand('token', 'a token from the Auth of the embedded default, for trying things out', 'TOKEN=$(./acgs token --role author)')
    .addOption(new Option('--role <role>', 'whose part to play').choices([...ROLES]).default('author'))
    .option('--data <dir>', 'the data folder of the server that runs')
    .option('--config <file>', 'another configuration file')
    .action(async (options: Options) => {
      const config = readConfig({ file: options.config ?? null, env: process.env, dataFolder: options.data })
      const { accessToken, expiresIn } = await obtainToken({
        dataDir: config.service.dataFolder, role: options.role, authUrl: config.services.authUrl, issuer: config.security.tokenIssuer,
      })
      // The token is what was asked for, so it is printed under --quiet too.
      finish({ json: { access_token: accessToken, token_type: 'Bearer', expires_in: expiresIn, role: options.role }, text: accessToken, exit: EXIT.yes }, { ...options, quiet: false })
    })
}
