import { describe, expect, test } from 'vitest';
import { errorJson, errorLines, failureOf, Unreachable } from '../../server/cli/failure.js';
import { conflict, invalid, notFound, unauthorized } from '../../server/domain/errors.js';

describe('exit codes', () => {
  test.each([
    ['invalid input is a usage error', invalid('x'), 2],
    ['a thing that is not there failed', notFound('x'), 1],
    ['a conflict failed', conflict('x'), 1],
    ['a refused token failed', unauthorized('x'), 1],
    ['no answer is its own code', new Unreachable('x', 'y'), 3],
    ['a bug failed', new TypeError('x'), 1],
  ])('%s', (_name, error, exitCode) => {
    expect(failureOf(error).exitCode).toBe(exitCode);
  });
});

describe('what is printed', () => {
  test.each([
    ['message alone', invalid('it is wrong'), ['error: it is wrong']],
    [
      'field and remedy',
      invalid('"x" is not a MAC', { field: 'macs[0]', remedy: 'write six pairs' }),
      ['error: "x" is not a MAC (macs[0]) — remedy: write six pairs'],
    ],
    [
      'a field that the message names is not repeated',
      invalid('macs[0]: bad', { field: 'macs[0]' }),
      ['error: macs[0]: bad'],
    ],
    [
      'several problems are several lines',
      invalid('a.yaml:1: x\na.yaml:2: y'),
      ['error: a.yaml:1: x', 'error: a.yaml:2: y'],
    ],
    ['a hostile message moves no cursor', notFound('no \u001b[2J machine'), ['error: no ·[2J machine']],
  ])('%s', (_name, error, lines) => {
    expect(errorLines(failureOf(error))).toEqual(lines);
  });

  test('JSON has the form of the API', () => {
    expect(JSON.parse(errorJson(failureOf(invalid('no', { field: 'f', remedy: 'r' }))))).toEqual({
      error: { code: 'invalid', message: 'no', field: 'f', remedy: 'r' },
    });
  });

  test('a bug shows no stack, and how to get one', () => {
    const [line = ''] = errorLines(failureOf(new TypeError('x is undefined')));
    expect(line).toBe('error: x is undefined — remedy: run it again with ANYBIOS_DEBUG=1 and report what it prints');
  });
});
