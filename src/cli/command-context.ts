import type { Clock } from '../clock.ts';
import type { SourceSettings } from '../settings/task-settings.ts';
import type { Text, TextFacts } from '../text.ts';
import type { ProgressStream } from './progress-lines.ts';

/** What a command works with, so that a test can run one without being a process. */
export interface CommandContext {
  readonly text: Text;
  readonly clock: Clock;
  readonly stdout: ProgressStream;
  readonly stderr: ProgressStream;
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Facts about the server that the text of an error may name. */
export function sourceFacts(source: SourceSettings): TextFacts {
  return { host: source.host, port: source.port, user: source.user };
}
