import type { Text } from '../text.ts';
import { liveHubOf } from './live-hub.ts';
import { readTaskInput } from './pages/task-reading.ts';
import { ATTENTION_STATES } from './pages/task-state.ts';
import { pillOf } from './pages/tasks-view.ts';
import type { Services } from './services.ts';
import { VolumeWatch } from './volumes.ts';
import type { Volume } from './volumes.ts';

/** What stands beside every page. */
export interface SideView {
  /** Tasks that somebody has to look at. */
  readonly attention: number;
  readonly volumes: readonly VolumeView[];
}

export interface VolumeView {
  readonly name: string;
  readonly percent: number;
  readonly tone: 'quiet' | 'warn' | 'err';
  readonly words: string;
}

export const NO_SIDE: SideView = { attention: 0, volumes: [] };

/** A run that ends is told by the hub, and a form by `forget`; for the rest, such as a task that is overdue, so long is soon enough. */
const KEPT_MS = 10_000;

interface Known {
  readonly attention: number;
  readonly folders: readonly string[];
  readonly sequence: string;
  readonly atMs: number;
}

/** Counts for all pages together. */
export class Side {
  readonly #services: Services;
  readonly #volumes: VolumeWatch;
  #known: Known | undefined;

  constructor(services: Services) {
    this.#services = services;
    this.#volumes = new VolumeWatch(() => services.clock.nowMs());
  }

  /** A form was sent: something may have changed. */
  forget(): void {
    this.#known = undefined;
  }

  /** Never throws: a page that says what is broken has a side, too. `timeZone`: IANA name. */
  async view(text: Text, timeZone: string): Promise<SideView> {
    try {
      const { attention, folders } = this.#read(text, timeZone);
      const volumes = await this.#volumes.of(folders);
      return { attention, volumes: volumes.map((volume) => volumeView(volume, text)) };
    } catch (error) {
      this.#services.log.error('bug', { stack: error instanceof Error ? error.stack : String(error) });
      return NO_SIDE;
    }
  }

  #read(text: Text, timeZone: string): Known {
    const { clock, tasks } = this.#services;
    const nowMs = clock.nowMs();
    const { sequence } = liveHubOf(this.#services);
    const known = this.#known;
    if (known?.sequence === sequence && Math.abs(nowMs - known.atMs) < KEPT_MS) return known;
    const all = tasks.list();
    const attention = all.filter((task) =>
      ATTENTION_STATES.has(pillOf(readTaskInput(this.#services, task, timeZone), text).state),
    ).length;
    const folders = all.flatMap((task) => task.settings?.target.folder ?? []);
    this.#known = { attention, folders, sequence, atMs: nowMs };
    return this.#known;
  }
}

/** Above these shares of a volume somebody should know, and should act. */
const VOLUME_WARN = 0.9;
const VOLUME_ALARM = 0.97;

export function volumeView({ number, usedBytes, totalBytes }: Volume, text: Text): VolumeView {
  const share = totalBytes === 0 ? 0 : usedBytes / totalBytes;
  return {
    name: number === undefined ? text.t('app.volume.other') : text.t('app.volume.name', { number }),
    percent: Math.floor(share * 100),
    tone: share >= VOLUME_ALARM ? 'err' : share >= VOLUME_WARN ? 'warn' : 'quiet',
    words: text.t('app.volume', { used: text.bytes(usedBytes), total: text.bytes(totalBytes) }),
  };
}
