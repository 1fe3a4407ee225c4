/**
 * Blocks that go through ever narrower paths, bytes: jumbo frames, Ethernet with room for a tunnel's headers, a second tunnel, what
 * GRUB uses, and the size of RFC 1350 that needs no agreement.
 */
const SIZES = [8192, 1428, 1380, 1024, 512];

/** What to agree to next with a client to which blocks of `blockSize` bytes did not come through. */
export function nextSmallerBlock(blockSize: number): number {
  return SIZES.find((size) => size < blockSize) ?? Math.min(blockSize, 512);
}
