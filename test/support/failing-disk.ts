import { constants } from 'node:os';
import { systemFs } from '../../src/local/target-fs.ts';
import type { TargetFile, TargetFs } from '../../src/local/target-fs.ts';

const real: TargetFs = { ...systemFs };

type AwaitedCall = 'link' | 'rename';

/** Stands between the target and the disk, and lets calls fail. One at a time in a process; `remove` takes it away. */
export class FailingDisk {
  /** Since the last `failAt`. */
  calls = 0;
  #awaited: readonly AwaitedCall[] = [];
  #failsAt: (call: number) => boolean = () => false;

  constructor() {
    const meet = (name?: AwaitedCall): void => {
      if (name === this.#awaited[0]) this.#awaited = this.#awaited.slice(1);
      if (this.#awaited.length > 0) return;
      if (!this.#failsAt(++this.calls)) return;
      throw Object.assign(new Error('EIO: injected'), { errno: -constants.errno.EIO, code: 'EIO', syscall: 'test' });
    };
    const wrapFile = (file: TargetFile): TargetFile => ({
      read: async (...args) => (meet(), file.read(...args)),
      write: async (...args) => (meet(), file.write(...args)),
      truncate: async (size) => (meet(), file.truncate(size)),
      utimes: async (...args) => (meet(), file.utimes(...args)),
      sync: async () => (meet(), file.sync()),
      close: async () => {
        await file.close();
        meet();
      },
    });
    Object.assign(systemFs, {
      open: async (...args) => (meet(), wrapFile(await real.open(...args))),
      link: async (...args) => (meet('link'), real.link(...args)),
      mkdir: async (...args) => (meet(), real.mkdir(...args)),
      lstat: async (...args) => (meet(), real.lstat(...args)),
      readdir: async (...args) => (meet(), real.readdir(...args)),
      realpath: async (...args) => (meet(), real.realpath(...args)),
      rename: async (...args) => (meet('rename'), real.rename(...args)),
      rmdir: async (...args) => (meet(), real.rmdir(...args)),
      statfs: async (...args) => (meet(), real.statfs(...args)),
      unlink: async (...args) => (meet(), real.unlink(...args)),
    } satisfies TargetFs);
  }

  /**
   * EIO at the nth call from now on; `lasts`: and at every later one. undefined: never. Where `from` is given, the first call is
   * the last of these, once they have come one after the other, whatever lies between.
   */
  failAt(nth: number | undefined, lasts = false, ...from: readonly AwaitedCall[]): void {
    this.calls = 0;
    this.#awaited = from;
    this.#failsAt = nth === undefined ? () => false : (call) => call === nth || (lasts && call > nth);
  }

  remove(): void {
    Object.assign(systemFs, real);
  }
}
