/** Where a run is. The steps follow each other in this order. */
export type RunStage = 'connecting' | 'scanning' | 'planning' | 'transferring' | 'finishing';

/** The numbers of a run that is under way, for people. */
export interface ProgressSnapshot {
  readonly stage: RunStage;
  readonly elapsedMs: number;
  readonly foldersListed: number;
  /** Folders that are known and not listed yet; grows while the scan finds more. */
  readonly foldersWaiting: number;
  readonly filesListed: number;
  /** What is to be downloaded: known once planning has ended. */
  readonly filesPlanned: number;
  readonly bytesPlanned: number;
  readonly filesDone: number;
  readonly filesFailed: number;
  readonly bytesDone: number;
  /** Over the last seconds; 0 while nothing arrives. */
  readonly bytesPerSecond: number;
  /** Undefined while it cannot be told honestly. */
  readonly secondsLeft: number | undefined;
  readonly connections: number;
  /** The file that began last, decoded for people. */
  readonly currentPath: string | undefined;
}
