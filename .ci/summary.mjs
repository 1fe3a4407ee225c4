// node .ci/summary.mjs REPORT STATUS: counts vitest's JSON report. What did not run counts as failed: a skipped test, a file
// that could not be loaded, a linter that stopped everything before the first test.
import { existsSync, readFileSync } from 'node:fs';

const [reportFile = '', status = '1'] = process.argv.slice(2);
let passed = 0;
let failed = 0;
if (existsSync(reportFile)) {
  for (const file of JSON.parse(readFileSync(reportFile, 'utf8')).testResults) {
    const bad = file.assertionResults.filter((test) => test.status !== 'passed');
    for (const test of bad) console.log(`${test.status.toUpperCase()}  ${file.name}  ${test.fullName}`);
    passed += file.assertionResults.length - bad.length;
    failed += bad.length;
    if (file.status !== 'passed' && bad.length === 0) {
      console.log(`FAILED  ${file.name}  ${file.message}`);
      failed += 1;
    }
  }
}
if (failed === 0 && (status !== '0' || passed === 0)) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
