import assert from 'node:assert/strict'
import { test } from 'node:test'

import { parseSchema } from '#adapters/cedar/cedar.ts'
import { assemble } from '#core/policy/assemble.ts'
import { semanticHash } from '#core/policy/semantic-hash.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { Reader, Reading } from './candidate.ts'
import { readControlledEnglish } from './controlled-english.ts'
import { readShallowParse } from './shallow-parse.ts'

const LIBRARY = parseSchema(`
  entity Branch;
  entity Member { branch: Branch, guardian: Member, blocked: Bool, trained: Bool };
  entity Librarian { branch: Branch, trained: Bool };
  entity Publisher { foreign: Bool };
  entity Book { branch: Branch, donor: Member, publisher: Publisher, damaged: Bool, rare: Bool, pages: Long };
  action borrow, reserve appliesTo { principal: [Member, Librarian], resource: Book, context: { renewal: Bool } };
  action remove appliesTo { principal: Librarian, resource: Book };
`)
const READERS: readonly (readonly [string, Reader])[] = [['controlled-english', readControlledEnglish], ['shallow-parse', readShallowParse]]

function read(reader: Reader, text: string): Reading {
  const unit: SemanticUnit = {
    id: 'unit', schema: LIBRARY, sentences: [{ number: 1, text, start: 0, end: text.length, mayRule: true, isExplanation: false }],
    request: { title: 'Books', description: text, stakeholders: [], principles: [], priority: 'low', examples: [], explanations: [], complianceThreshold: 0, consensusRequired: false, multiModelValidation: false },
  }
  return reader(unit)[0] as Reading
}
const meaning = (norms: readonly Norm[]) => semanticHash(assemble(norms, LIBRARY), LIBRARY)
const sensesOf = (reading: Reading) => (reading.kind === 'unread' && reading.isOpen === true ? (reading.senses ?? []).map(meaning).sort() : null)

/** A form that English leaves open, how many senses the schema can say, and the same said so that it has one. */
const FORMS: readonly { readonly open: string; readonly senses: number; readonly plain: readonly string[] }[] = [
  { open: 'Members may only borrow damaged books.', senses: 3, plain: ['Members may borrow only damaged books.', 'Members may only borrow books that are damaged.', 'Members may only borrow books if they are damaged.', 'Members may only borrow books.'] },
  { open: 'Librarians may only remove books of their branch.', senses: 3, plain: ['Librarians may only remove books of their own branch.', 'Librarians may remove only books of their branch.', 'Librarians may only remove books of members who are blocked.'] },
  { open: 'Only librarians may remove and members may borrow books.', senses: 2, plain: ['Only librarians may remove books, and members may borrow books.', 'Only librarians and members may borrow books.'] },
  { open: 'Members may borrow books of their guardian if they are blocked.', senses: 2, plain: ['Members may borrow books of their guardian if the book is damaged.', 'Members may borrow books of their branch if they are blocked.', 'Members may borrow books of publishers if they are blocked.'] },
  { open: 'Members may reserve books that are damaged or rare if they are trained.', senses: 2, plain: ['Members may reserve books that are damaged or rare, if they are trained.', 'Members may borrow or reserve books if they are trained.', 'If they are trained, members may reserve books that are damaged or rare.'] },
  { open: 'Members may borrow books if the number of pages is at most 500 unless they are rare.', senses: 2, plain: ['Members may borrow books if the number of pages is at most 500, unless they are rare.', 'Members may borrow and reserve books unless they are rare.', 'Members must not borrow books if they are rare unless they are trained.'] },
  { open: 'All members may not borrow books.', senses: 0, plain: ['No member may borrow books.', 'All members must not borrow books.', 'All members may borrow books.'] },
  { open: 'Members may not borrow all books.', senses: 0, plain: ['Members may not borrow any books.', 'Members may borrow all books.'] },
  { open: 'Nobody may remove every book.', senses: 0, plain: ['Nobody may remove any book.'] },
]

for (const [name, reader] of READERS) {
  test(`${name}: what a form leaves open is said with every sense that the schema has, and what is said plainly is read`, () => {
    for (const { open, senses, plain } of FORMS) {
      const reading = read(reader, open)
      assert.equal(sensesOf(reading)?.length, senses, `${open} ${JSON.stringify(reading)}`)
      for (const text of plain) {
        const said = read(reader, text)
        assert.equal(said.kind, 'norms', `${text} ${said.kind === 'unread' ? said.because : ''}`)
      }
    }
  })
}

test('each reader finds the senses by itself, and both find the same', () => {
  for (const { open } of FORMS) {
    const [one, other] = READERS.map(([, reader]) => sensesOf(read(reader, open)))
    assert.deepEqual(one, other, open)
    assert.equal(new Set(one).size, one?.length)
  }
})

test('a list of conditions and a condition behind an exception have the senses of both wordings', () => {
  const behind = 'Librarians may not remove books unless they are trained, or if the book is rare.'
  const [any, more] = ['Librarians may not remove books unless they are trained or the book is rare.', 'Librarians may not remove books unless they are trained; librarians may not remove books if the book is rare.']
  for (const [, reader] of READERS) {
    const wanted = [any, more].map((text) => read(reader, text)).map((reading) => (reading.kind === 'norms' ? meaning(reading.norms) : reading.kind))
    assert.deepEqual(sensesOf(read(reader, behind)), wanted.sort())
  }
  const list = 'Librarians may remove books:\n- if trained\n- if damaged'
  const [all, either] = ['Librarians may remove books if trained and damaged.', 'Librarians may remove books if trained or damaged.'].map((text) => read(readShallowParse, text)).map((reading) => (reading.kind === 'norms' ? meaning(reading.norms) : reading.kind))
  assert.deepEqual(sensesOf(read(readShallowParse, list)), [all, either].sort())
})
