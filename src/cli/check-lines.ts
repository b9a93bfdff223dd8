import type { CheckStep } from '../tasks/check-source.ts';
import { checkWords } from '../tasks/check-words.ts';
import type { Text } from '../text.ts';
import { printable } from './printable.ts';
import { explain } from './report-lines.ts';

/** One step of a connection test in words; a failed one takes more lines, with the next step. */
export function checkLines(step: CheckStep, text: Text): string[] {
  const time = step.durationMs === undefined ? '' : ` (${text.duration(step.durationMs)})`;
  const head = `${text.t(`check.step.${step.step}`).padEnd(STEP_WIDTH)}${text.t(`check.state.${step.state}`).padEnd(STATE_WIDTH)}`;
  if (step.state !== 'failed') return [printable(`${head}${checkWords(step.finding, text)}${time}`)];
  const [cause, ...rest] = explain(step.code, step.facts, step.detail, text);
  const indent = ' '.repeat(STEP_WIDTH + STATE_WIDTH);
  return [`${head}${(cause ?? '').trim()}${time}`, ...rest.map((line) => `${indent}${line.trim()}`)].map(printable);
}

/** Wide enough for both languages. */
const STEP_WIDTH = 20;
const STATE_WIDTH = 11;
