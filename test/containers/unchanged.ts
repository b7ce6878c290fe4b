import { passedUnchanged, toldUnchanged } from './inputs.ts'

// Ends with 0 and says since when, where nothing changed that the containers depend on; with 1 where they have to be run.
const passed = passedUnchanged()
console.log(passed === null ? 'containers: to be run' : toldUnchanged(passed))
process.exitCode = passed === null ? 1 : 0
