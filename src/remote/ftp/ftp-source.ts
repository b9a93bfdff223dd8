import type { Clock } from '../../clock.ts';
import { BackupError, isBackupError } from '../../errors.ts';
import type { SourceSettings } from '../../settings/task-settings.ts';
import type { RemoteSession, RemoteSource } from '../remote.ts';
import { FtpControl, abortError, toWire } from './ftp-control.ts';
import type { ConnectionTrace } from './ftp-control.ts';
import { FtpFolder } from './ftp-folder.ts';
import { emptyKnowledge } from './ftp-knowledge.ts';
import type { FtpKnowledge } from './ftp-knowledge.ts';
import { prepare, probe } from './ftp-probe.ts';
import { FtpSession } from './ftp-session.ts';

export interface FtpSourceOptions {
  readonly clock: Clock;
  /** Hears what was found out about the server. */
  readonly log?: ((event: string, fields: Readonly<Record<string, unknown>>) => void) | undefined;
  readonly connectionTrace?: ConnectionTrace | undefined;
}

/** An FTP or FTPS server. What its first session finds out, all later ones know. */
export class FtpSource implements RemoteSource {
  readonly label: string;
  readonly hostKey: string;
  readonly #settings: SourceSettings;
  readonly #options: FtpSourceOptions;
  readonly #knowledge = emptyKnowledge();
  #probing: Promise<void> | undefined;

  constructor(settings: SourceSettings, options: FtpSourceOptions) {
    this.#settings = settings;
    this.#options = options;
    const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host;
    this.hostKey = `${settings.protocol}://${settings.user}@${host}:${settings.port}`;
    this.label = this.hostKey + (settings.folder.startsWith('/') ? settings.folder : `/${settings.folder}`);
  }

  async open(signal: AbortSignal): Promise<RemoteSession> {
    const { clock } = this.#options;
    const control = await this.#connect(signal);
    const onAbort = (): void => {
      control.fail(abortError(signal));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const folder = new FtpFolder(control, this.#knowledge);
      this.#options.log?.('ftp-connected', { source: this.label, tls: control.tlsVersion });
      await prepare(control, this.#knowledge);
      await this.#probeOnce(control, folder);
      return new FtpSession(control, this.#knowledge, folder, clock);
    } catch (error) {
      control.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #connect(signal: AbortSignal): Promise<FtpControl> {
    const knowledge = this.#knowledge;
    const openWith = (versionMax: FtpKnowledge['tlsVersionMax']): Promise<FtpControl> =>
      FtpControl.open(this.#settings, signal, this.#options.connectionTrace, versionMax);
    try {
      return await openWith(knowledge.tlsVersionMax);
    } catch (error) {
      if (knowledge.tlsVersionMax === 'TLSv1.3' || !isBackupError(error, 'tls-refused')) throw error;
      knowledge.refusesTls12 = true;
      knowledge.tlsVersionMax = 'TLSv1.3';
      return openWith('TLSv1.3');
    }
  }

  /** The first session probes, others wait for it; where it fails, the next one tries. */
  async #probeOnce(control: FtpControl, folder: FtpFolder): Promise<void> {
    const knowledge = this.#knowledge;
    while (knowledge.listing === undefined) {
      if (this.#probing !== undefined) {
        await this.#probing.catch(() => undefined);
        if (control.isDead) await control.command('NOOP');
        continue;
      }
      this.#probing = probe(control, knowledge, folder, this.#wantedBase(control), this.#options.clock).finally(() => {
        this.#probing = undefined;
      });
      await this.#probing;
      this.#options.log?.('ftp-probed', {
        source: this.label,
        listing: knowledge.listing,
        passive: knowledge.passive,
        stat: knowledge.stat,
        showsHidden: knowledge.showsHidden,
        hasRestart: knowledge.hasRestart,
      });
    }
  }

  #wantedBase(control: FtpControl): string {
    const folder = toWire(this.#settings.folder);
    if (/[\r\n\0]/.test(folder)) {
      throw new BackupError('remote-folder-missing', { facts: control.facts, detail: 'a line break in the folder' });
    }
    const absolute = folder.startsWith('/') ? folder : `/${folder}`;
    return absolute.length > 1 && absolute.endsWith('/') ? absolute.slice(0, -1) : absolute;
  }
}
