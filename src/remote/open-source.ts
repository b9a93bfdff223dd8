import type { Clock } from '../clock.ts';
import type { SourceSettings } from '../settings/task-settings.ts';
import { FtpSource } from './ftp/ftp-source.ts';
import type { RemoteSource } from './remote.ts';

export interface OpenSourceOptions {
  readonly clock: Clock;
  /** Hears what was found out about the server. Never a secret. */
  readonly log?: ((event: string, fields: Readonly<Record<string, unknown>>) => void) | undefined;
  /** Hears every line of every control connection, `>` sent and `<` received, the password left out. */
  readonly connectionTrace?: ((direction: '>' | '<', text: string) => void) | undefined;
}

/** The source that `settings` describe. Connects only when a session is opened. */
export function openSource(settings: SourceSettings, options: OpenSourceOptions): RemoteSource {
  switch (settings.protocol) {
    case 'ftp':
    case 'ftps':
    case 'ftps-implicit':
      return new FtpSource(settings, options);
  }
}
