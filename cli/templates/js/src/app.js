// Counts the lines of a file and prints its last one, through a mapping.

import { Mapping } from 'iommap:mmap/types@0.1.0';
import { getArguments } from 'wasi:cli/environment@0.2.12';
import { exitWithCode } from 'wasi:cli/exit@0.2.12';

// So much is read at a time: the file may be larger than a guest's memory. Offsets and lengths are
// numbers of 64 bits, as BigInt.
const WINDOW = 1n << 20n;

/** What the world exports: `wasi:cli/run`. */
export const run = {
  run() {
    const path = getArguments()[1] ?? '/data/README.md';
    try {
      count(path);
    } catch (error) {
      // An error of iommap's has its case of `error-code` as payload. Of any other nothing would be
      // said if it left this function, and the engine's `stack` has no message in it.
      const code = error?.payload?.tag;
      console.error(code === undefined
        ? `${error}\n${error?.stack ?? ''}`.trimEnd()
        : `cannot read ${path}: ${code}`);
      exitWithCode(1);
    }
  },
};

function count(path) {
  using file = Mapping.open(path, 'read', { shared: true }, undefined);
  const size = file.position();

  // From front to back.
  let lines = 0;
  for (let at = 0n; at < size; at += WINDOW) {
    const bytes = file.pread(at, size - at < WINDOW ? size - at : WINDOW);
    for (const byte of bytes) if (byte === 10) lines++;
  }
  console.log(`${path}: ${size} bytes, ${lines} lines`);

  // From anywhere.
  const length = size < 1024n ? size : 1024n;
  const end = new TextDecoder().decode(file.pread(size - length, length));
  console.log(`the last line: ${end.trimEnd().split('\n').at(-1)}`);
}
