import { scheduleJob } from 'node-schedule';

/** Calls back once, in this process, at about `atMs`; gives a function that calls it off. */
export interface Timer {
  at(atMs: number, wake: () => void): () => void;
}

/** A moment that has come already is taken for one this far away. */
const TIMER_LEAST_MS = 50;

/** One-shot jobs of node-schedule. */
export const jobTimer: Timer = {
  at(atMs, wake) {
    const soonMs = Math.max(atMs, Date.now() + TIMER_LEAST_MS);
    // Its types deny it, but node-schedule gives null for a moment that has passed, as it does when the clock jumps here.
    const job = scheduleJob(new Date(soonMs), wake) as ReturnType<typeof scheduleJob> | null;
    if (job !== null) return () => void job.cancel();
    const timeout = setTimeout(wake, TIMER_LEAST_MS);
    return () => {
      clearTimeout(timeout);
    };
  },
};
