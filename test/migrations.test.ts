import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { narrowing } from '#test/narrowing.ts'
import { readMigrations } from '#adapters/postgres/migrate.ts'

/** Those before were made before anything was released. */
const FIRST_THAT_ONLY_EXPANDS = 9

test('no migration takes away what the release before relies on, unless it says so', () => {
  for (const folder of ['migrations', 'migrations/auth']) {
    for (const { number, name, sql } of readMigrations(fileURLToPath(new URL(`../${folder}`, import.meta.url)))) {
      if (folder === 'migrations' && number < FIRST_THAT_ONLY_EXPANDS) continue
      if (/^--! (breaking$|contract: \S)/m.test(sql)) continue
      assert.deepEqual(narrowing(sql), [], `${folder}/${name}: only add; what no release reads any more goes one release later, in a migration with a line \`--! contract: since when nothing reads it\`; \`--! breaking\` locks the releases before out`)
    }
  }
})

test('what only adds', () => {
  for (const sql of [
    'create table a (x int not null check (x > 0)); create unique index on_a on a (x); alter table a add check (x < 9)',
    'alter table a add column y int', 'alter table a add y int not null default 0, add z text', `alter table a add column y text not null default 'drop table b; rename'`,
    'create index a_by_x on a (x); drop index a_by_y', 'comment on table a is $$drop table a$$ -- drop table a', 'alter table a alter column x set default 3', 'insert into a values (1)',
    'alter table a alter column x drop not null', 'create view v as select 1',
  ]) assert.deepEqual(narrowing(sql), [], sql)
})

test('what the release before may not survive', () => {
  for (const sql of [
    'drop table a', 'alter table a drop column x', 'alter table a add y int, drop x', 'alter table a rename to b', 'alter table a rename column x to y', 'alter table a alter column x type bigint',
    'alter table a alter x set not null', 'alter table a add column y int not null', 'alter table a add y int check (y > 0)', 'alter table a add check (x > 0)', 'alter table a add constraint c unique (x)',
    'create unique index on_a on a (x)', 'create table b (x int); create unique index on_a on a (x)', 'alter table a alter column x drop default', 'ALTER TABLE a\n  DROP COLUMN x', 'alter type t rename value 1 to 2',
    'truncate a', 'delete from a', 'revoke all on a from b', 'create trigger t before insert on a execute function f()', 'drop view v', 'alter table a set schema b',
  ]) assert.equal(narrowing(sql).length, 1, sql)
})

test('the rule would have found the column that an early migration took away', () => {
  const early = readMigrations(fileURLToPath(new URL('../migrations', import.meta.url))).find(({ number }) => number === 3)
  assert.ok(narrowing(early?.sql ?? '').some((each) => each.includes('drop column updated_at')))
})
