import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Starts a TypeScript file of this folder as a process with a message channel; it ends with this process. */
export function startChild(
  file: string,
  words: readonly string[] = [],
  nodeOptions: readonly string[] = [],
): ChildProcess {
  return fork(join(import.meta.dirname, file), words, { execArgv: ['--import', 'tsx', ...nodeOptions] });
}

/** Sends `question`, if there is one, and gives the next message. Throws where the process ends first. */
export async function ask<T>(child: ChildProcess, question?: object): Promise<T> {
  const answered = once(child, 'message') as Promise<[T]>;
  const ended = once(child, 'exit').then(([code, signal]: unknown[]) => {
    throw new Error(`the process ended early: ${String(code ?? signal)}`);
  });
  if (question !== undefined) child.send(question);
  const [answer] = await Promise.race([answered, ended]);
  return answer;
}
