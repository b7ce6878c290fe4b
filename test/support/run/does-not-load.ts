// @ts-expect-error: read by test/run.test.ts, a file that does not load
import './no-such-file.js'
