import fc from 'fast-check';

/**
 * Property tests use one seed, so that a run can be repeated and a green commit stays green. New cases are looked for with
 * another one: `PROPERTY_SEED=$RANDOM PROPERTY_RUNS=5000 npm run test:unit`.
 */
const { PROPERTY_SEED = '20261121', PROPERTY_RUNS } = process.env;
fc.configureGlobal({
  seed: Number(PROPERTY_SEED),
  ...(PROPERTY_RUNS === undefined ? {} : { numRuns: Number(PROPERTY_RUNS) }),
});
