/** Where files of images are sent to, as the API has it. */
export const UPLOAD_PATH = '/api/v1/image-files';

/** A request for the process that takes uploads: its method and target as they stand in the request line. */
export function isUpload(method: string, target: string): boolean {
  return method === 'POST' && (target === UPLOAD_PATH || target.startsWith(`${UPLOAD_PATH}?`));
}

/** The same of the first bytes of a connection that has sent its whole request line. */
export function beginsWithUpload(bytes: Buffer): boolean {
  const match = /^[\r\n]*([A-Z]+) (\S+) HTTP\/1\.[01]\r?\n/.exec(bytes.toString('latin1', 0, 8192));
  return match?.[1] !== undefined && match[2] !== undefined && isUpload(match[1], match[2]);
}
