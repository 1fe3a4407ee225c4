import { describe, expect, test } from 'vitest';
import { readScriptRequest } from '../../server/images/script-answer.js';

const read = (text: string) => readScriptRequest(Buffer.from(text, 'latin1'));
const line = 'GET /boot/ipxe/52-54-00-00-00-01 HTTP/1.1\r\n';

describe('a request for a script', () => {
  test('of iPXE', () => {
    const text = `${line}Connection: keep-alive\r\nUser-Agent: iPXE/1.21.1+ (g4e4)\r\nHost: 10.77.0.1:8080\r\n\r\n`;
    expect(read(`${text}GET /next`)).toEqual({
      head: false,
      path: '/boot/ipxe/52-54-00-00-00-01',
      keep: true,
      length: text.length,
    });
  });

  const kept: Record<string, [text: string, keep: boolean]> = {
    'HTTP/1.1 goes on': [`${line}Host: x\r\n\r\n`, true],
    'unless it says not': [`${line}Host: x\r\nconnection: Close\r\n\r\n`, false],
    'HTTP/1.0 does not': ['HEAD /boot/ipxe/x?a=b HTTP/1.0\r\n\r\n', false],
    'unless it says so': ['HEAD /boot/ipxe/x HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n', true],
  };
  test.each(Object.entries(kept))('%s', (_, [text, keep]) => {
    expect(read(text)).toMatchObject({ keep });
  });

  test('is not complete at any cut before its end', () => {
    const text = `${line}Host: x\r\n\r\n`;
    for (let end = 0; end < text.length; end++) expect(read(text.slice(0, end))).toBe('more');
  });

  // Each is a form that two parsers have been seen to read differently (request smuggling): one parser gets them all.
  const unusual: Record<string, string> = {
    'no Host': `${line}\r\n`,
    'two Hosts': `${line}Host: x\r\nHost: y\r\n\r\n`,
    'a length': `${line}Host: x\r\nContent-Length: 0\r\n\r\n`,
    'two lengths': `${line}Host: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n`,
    chunks: `${line}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n`,
    'chunks with a space before the colon': `${line}Host: x\r\nTransfer-Encoding : chunked\r\n\r\n`,
    'chunks after a tab': `${line}Host: x\r\n\tTransfer-Encoding: chunked\r\n\r\n`,
    'a folded line': `${line}Host: x\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n\r\n`,
    'a bare LF in a header': `${line}Host: x\r\nX-A: b\nTransfer-Encoding: chunked\r\n\r\n`,
    'a bare CR in a header': `${line}Host: x\rTransfer-Encoding: chunked\r\n\r\n`,
    'a NUL in a header': `${line}Host: x\0\r\n\r\n`,
    'a line without a colon': `${line}Host: x\r\nnonsense\r\n\r\n`,
    'an upgrade': `${line}Host: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n`,
    'a header named in Connection': `${line}Host: x\r\nConnection: close, Host\r\n\r\n`,
    'a body announced': `${line}Host: x\r\nExpect: 100-continue\r\n\r\n`,
    'another method': 'POST /boot/ipxe/x HTTP/1.1\r\nHost: x\r\n\r\n',
    'the form of a proxy': 'GET http://h/boot/ipxe/x HTTP/1.1\r\nHost: x\r\n\r\n',
    'a fragment': 'GET /boot/ipxe/x#y HTTP/1.1\r\nHost: x\r\n\r\n',
    'another version': 'GET /boot/ipxe/x HTTP/1.2\r\nHost: x\r\n\r\n',
    'two spaces': 'GET  /boot/ipxe/x HTTP/1.1\r\nHost: x\r\n\r\n',
    'an endless head': `${line}X: ${'y'.repeat(9000)}`,
  };
  test.each(Object.entries(unusual))('%s: the main server reads it', (_, text) => {
    expect(read(text)).toBe('unusual');
  });
});
