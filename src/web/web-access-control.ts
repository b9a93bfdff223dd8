import { randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { Clock } from '../clock.ts';
import { isBackupError } from '../errors.ts';
import type { BackupError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { effectiveWebAccess } from '../settings/web-access.ts';
import type { FixedWebAccess, WebAccess } from '../settings/web-access.ts';
import type { SettingsStore } from '../state/settings-store.ts';
import { isSameToken } from './access/csrf.ts';
import { certificateFacts, readOwnCertificate, selfSignedCertificate } from './certificate.ts';
import type { CertificateFault, CertificatePair } from './certificate.ts';
import type { WebListener } from './web-listener.ts';

/** A change that nobody confirms is taken back after this. */
export const TRIAL_MS = 60_000;
/** How often the files of a certificate are read again: whoever renews them does not tell. */
const CERTIFICATE_STEP_MS = 60 * 60_000;

/** A change of the web access that waits to be confirmed at its new address. */
export interface WebTrial {
  readonly access: WebAccess;
  /** Who knows it was signed in when the change was made; it stands in the link to the new address only. */
  readonly token: string;
  readonly endsMs: number;
  /** Who made the change. */
  readonly by: string | undefined;
}

/** How the last trial ended. */
export interface WebTrialEnd {
  readonly kind: 'kept' | 'taken-back' | 'not-confirmed';
  readonly atMs: number;
}

export interface WebAccessOptions {
  readonly settings: SettingsStore;
  readonly fixed: FixedWebAccess;
  readonly listener: WebListener;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Makes the pages for one address; with `trialToken` whoever sends it there confirms the change. */
export type MakeApp = (access: WebAccess, trialToken: string | undefined) => RequestListener;

/** How the pages are reached: what is set, what start options fix, and the trial of a change. */
export class WebAccessControl {
  readonly #options: WebAccessOptions;
  readonly #stopped = new AbortController();
  #makeApp: MakeApp = () => () => undefined;
  #current: WebAccess;
  #certificate: CertificatePair | undefined;
  #app: RequestListener = () => undefined;
  #trial:
    | { readonly public: WebTrial; readonly certificate: CertificatePair | undefined; readonly over: AbortController }
    | undefined;
  #lastEnd: WebTrialEnd | undefined;
  readonly #keptListeners = new Set<(access: WebAccess) => void>();
  /** Why the service is not reached as it was set. */
  #emergency: CertificateFault | undefined;

  constructor(options: WebAccessOptions) {
    this.#options = options;
    this.#current = effectiveWebAccess(options.settings.read().web, options.fixed);
  }

  get current(): WebAccess {
    return this.#current;
  }

  get fixed(): FixedWebAccess {
    return this.#options.fixed;
  }

  get trial(): WebTrial | undefined {
    return this.#trial?.public;
  }

  get lastEnd(): WebTrialEnd | undefined {
    return this.#lastEnd;
  }

  /** What is wrong with the certificate that was set, where another one stands in for it. */
  get emergency(): CertificateFault | undefined {
    return this.#emergency;
  }

  /** Of the certificate in use; undefined without HTTPS. */
  get certificate(): { readonly endsMs: number; readonly fingerprint: string } | undefined {
    return this.#certificate === undefined ? undefined : certificateFacts(this.#certificate);
  }

  /** Of the trial; undefined without one or without HTTPS. */
  get trialCertificate(): { readonly endsMs: number; readonly fingerprint: string } | undefined {
    const certificate = this.#trial?.certificate;
    return certificate === undefined ? undefined : certificateFacts(certificate);
  }

  /** The port that is really listened on for `access`. */
  portOf(access: WebAccess): number {
    return this.#options.listener.portOf(access);
  }

  /**
   * Opens the door that is set. A certificate that cannot be used any more is replaced by one of the service itself: a
   * NAS whose pages cannot be opened helps nobody, and its password must not cross the network in the clear. Throws
   * `port-taken` or `address-unusable`.
   */
  async start(makeApp: MakeApp): Promise<void> {
    this.#makeApp = makeApp;
    const found = await this.#certificateFor(this.#current, []);
    if ('faults' in found) {
      this.#emergency = found.faults[0];
      this.#options.log.error('certificate-unusable', { field: this.#emergency?.field, why: this.#emergency?.key });
      const substitute = await this.#certificateFor({ ...this.#current, encryption: 'self-signed' }, []);
      // Without a certificate at all only the NAS itself is let in.
      if ('faults' in substitute) this.#current = { ...this.#current, encryption: 'none', listen: '127.0.0.1' };
      else this.#certificate = substitute.certificate;
    } else {
      this.#certificate = found.certificate;
    }
    this.#app = makeApp(this.#current, undefined);
    await this.#open();
    void this.#watchCertificate();
  }

  /**
   * Opens another way in beside the one that is there, for TRIAL_MS. `names`: by which the NAS will be opened, for its own
   * certificate. Gives what is wrong with a certificate; throws `port-taken` or `address-unusable`. Then nothing has
   * changed. A trial that is under way is taken back first.
   */
  async tryOut(
    wanted: WebAccess,
    names: readonly string[],
    by: string | undefined,
  ): Promise<WebTrial | { faults: readonly CertificateFault[] }> {
    const access = { ...wanted, ...this.fixed };
    const found = await this.#certificateFor(access, names);
    if ('faults' in found) return found;
    await this.takeBack();
    const token = randomBytes(32).toString('base64url');
    const trial: WebTrial = { access, token, endsMs: this.#options.clock.nowMs() + TRIAL_MS, by };
    const app = this.#makeApp(access, token);
    await this.#options.listener.open([{ access, certificate: found.certificate, app }, this.#door()]);
    const over = new AbortController();
    this.#trial = { public: trial, certificate: found.certificate, over };
    this.#options.log.info('web-access-tried', { port: access.port, encryption: access.encryption });
    void this.#endUnlessKept(over.signal);
    return trial;
  }

  /** Confirms the trial; the old address is closed. False where there is none with this token. */
  async keep(token: string): Promise<boolean> {
    const trial = this.#trial;
    if (trial === undefined || !isSameToken(trial.public.token, token)) return false;
    this.#end('kept');
    const { settings, log } = this.#options;
    const { access } = trial.public;
    settings.write({ web: access });
    this.#current = access;
    this.#certificate = trial.certificate;
    this.#emergency = undefined;
    this.#app = this.#makeApp(access, undefined);
    log.info('web-access-changed', { port: access.port, listen: access.listen, encryption: access.encryption });
    await this.#open();
    for (const listener of [...this.#keptListeners]) listener(access);
    return true;
  }

  /** Calls `listener` with what holds from then on whenever a trial is confirmed. Gives a function that ends that. */
  onKept(listener: (access: WebAccess) => void): () => void {
    this.#keptListeners.add(listener);
    return () => {
      this.#keptListeners.delete(listener);
    };
  }

  /** Ends the trial now; false where there is none. */
  async takeBack(): Promise<boolean> {
    if (this.#trial === undefined) return false;
    this.#end('taken-back');
    await this.#open();
    return true;
  }

  stop(): void {
    this.#stopped.abort();
    this.#trial?.over.abort();
  }

  #door(): { access: WebAccess; certificate: CertificatePair | undefined; app: RequestListener } {
    return { access: this.#current, certificate: this.#certificate, app: this.#app };
  }

  async #open(): Promise<void> {
    await this.#options.listener.open([this.#door()]);
  }

  #end(kind: WebTrialEnd['kind']): void {
    this.#trial?.over.abort();
    this.#trial = undefined;
    this.#lastEnd = { kind, atMs: this.#options.clock.nowMs() };
  }

  async #endUnlessKept(over: AbortSignal): Promise<void> {
    try {
      await this.#options.clock.sleep(TRIAL_MS, over);
    } catch {
      return;
    }
    if (over.aborted) return;
    this.#end('not-confirmed');
    this.#options.log.warn('web-access-not-confirmed', { port: this.#current.port });
    await this.#open().catch((error: unknown) => {
      this.#options.log.error('web-access-lost', { error });
    });
  }

  async #certificateFor(
    access: WebAccess,
    names: readonly string[],
  ): Promise<{ certificate: CertificatePair | undefined } | { faults: readonly CertificateFault[] }> {
    const { clock, stateDir } = this.#options;
    if (access.encryption === 'none') return { certificate: undefined };
    const found =
      access.encryption === 'own'
        ? await readOwnCertificate(access, clock.nowMs())
        : await selfSignedCertificate(stateDir, names, clock.nowMs());
    return 'faults' in found ? found : { certificate: found };
  }

  /** Takes a renewed certificate into use without a restart. */
  async #watchCertificate(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await clock.sleep(CERTIFICATE_STEP_MS, signal);
      } catch {
        return;
      }
      // During a trial both doors have theirs.
      if (this.#trial !== undefined || this.#current.encryption === 'none') continue;
      const found = await this.#certificateFor(this.#current, []);
      if ('faults' in found || found.certificate?.cert === this.#certificate?.cert) continue;
      this.#certificate = found.certificate;
      this.#emergency = undefined;
      await this.#open().then(
        () => {
          log.info('certificate-renewed');
        },
        (error: unknown) => {
          log.error('web-access-lost', { error });
        },
      );
    }
  }
}

/** The field of the page that an error of opening an address is about. */
export function fieldOfAddressError(
  error: unknown,
): { readonly field: 'port' | 'listen'; readonly error: BackupError } | undefined {
  if (isBackupError(error, 'port-taken')) return { field: 'port', error };
  return isBackupError(error, 'address-unusable') ? { field: 'listen', error } : undefined;
}
