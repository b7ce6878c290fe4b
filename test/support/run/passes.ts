import { test } from 'node:test'

test('knows the database of the run', (t) => t.assert.match(process.env['ACGS_TEST_DATABASE_URL'] ?? '', /^postgresql:/))
