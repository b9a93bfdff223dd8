import type { Writable } from 'node:stream';

/** Waits until `to` takes more, or is closed. Leaves nothing behind: a large file makes it wait a hundred thousand times. */
export function drained(to: Writable): Promise<void> {
  return new Promise((resolve) => {
    const goOn = (): void => {
      to.off('drain', goOn).off('close', goOn);
      resolve();
    };
    to.on('drain', goOn).on('close', goOn);
    // One that was closed just before tells it no more.
    if (to.destroyed) goOn();
  });
}
