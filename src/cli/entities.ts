import type { Command } from 'commander'
import { Failure } from '#core/failure.ts'
import { parseJson } from '#core/json.ts'
import { putEntities } from '#services/platform/application-contract.ts'
import { answerOf, asksService, askService, pathOf, type ServiceOptions } from './service.ts'
import { finish, newCommand, newGroup, progress, readBytes } from './terminal.ts'

type PutOptions = ServiceOptions & { replace?: boolean }

export function command(): Command {
  const put = asksService(newCommand('put', 'put entities into an application: all of the file, or none', './acgs entities put ai-agents packs/ai-agents/entities.json'))
    .argument('<app>', 'the application’s name')
    .argument('<file>', 'a list of entities in Cedar’s JSON format; - for standard input')
    .option('--replace', 'these are all the entities there are: every other one is deleted')
    .action(async (app: string, file: string, options: PutOptions) => {
      const body = bodyOf(file, options.replace === true ? 'replace' : 'upsert')
      progress(`sending ${Math.ceil(body.length / 1024)} kB …`, options)
      const reply = await askService({ service: 'platform', method: 'PUT', path: pathOf(putEntities.path, { app }), role: 'author', body }, options)
      finish(answerOf(reply, ({ version, upserted, unchanged, deleted }) => `${app}: version ${version} · ${upserted} put, ${unchanged} unchanged, ${deleted} deleted`), options)
    })
  return newGroup('entities', 'the entities of an application, which its decisions are about', './acgs entities put ai-agents packs/ai-agents/entities.json').addCommand(put)
}

/**
 * The file as a body of the operation, its own bytes in it, so that no integer is changed on the way.
 *
 * @throws {Failure} `REQUEST_MALFORMED` with line and column when it is not JSON, or when it is no list.
 */
function bodyOf(file: string, mode: 'replace' | 'upsert'): Uint8Array {
  const bytes = readBytes(file)
  const name = file === '-' ? 'standard input' : file
  if (!Array.isArray(parseJson(bytes, name, undefined, 'bigint'))) {
    throw new Failure('REQUEST_MALFORMED', `${name} is not a list of entities: write [{ "uid": { "type": "User", "id": "ana" }, "attrs": {}, "parents": [] }]`)
  }
  const isMarked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf // A byte-order mark is no part of JSON in the middle of a text.
  return Buffer.concat([Buffer.from(`{"mode":"${mode}","entities":`), isMarked ? bytes.subarray(3) : bytes, Buffer.from('}')])
}
