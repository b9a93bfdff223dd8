import type { RunMark } from '../../state/run-store.ts';
import type { Text } from '../../text.ts';
import type { Dates } from '../dates.ts';
import { STATE_LOOKS, outcomeState } from './task-state.ts';
import type { TaskState } from './task-state.ts';

/** Runs in one strip. */
export const STRIP_RUNS = 30;

const STRIP_HEIGHT = 20;
const BAR_STEP = 6;
const DASH_STEP = 5;
const DATA_HEIGHT = 44;
const DATA_WIDTH = 266;

export interface BarView {
  readonly x: number;
  readonly y: number;
  readonly height: number;
  readonly look: string;
  readonly title: string;
}

export interface StripView {
  readonly bars: readonly BarView[];
  readonly label: string;
}

/**
 * The same as StripView for the list of tasks, 148 x 20: bars of one look are the dashes of one path, 3 wide and 2 apart,
 * and its class says how high they are. Places of runs that never were are the background.
 */
export interface CompactStripView {
  readonly paths: readonly { readonly look: string; readonly d: string }[];
  readonly label: string;
}

export interface DataChartView {
  readonly bars: readonly { readonly x: string; readonly y: string; readonly width: string; readonly height: string }[];
  readonly label: string;
  readonly from: string;
}

const OK_HEIGHT = 12;
/** Height says the same as colour: the strip can be read without seeing colours. */
const HEIGHTS: Readonly<Partial<Record<TaskState, number>>> = {
  ok: OK_HEIGHT,
  partial: 16,
  failed: 20,
  held: 20,
  running: 20,
};
const OTHER_HEIGHT = 8;
const OK_LOOK = 'b-ok';
const NONE_HEIGHT = 3;

/** The last runs of a task, oldest left; places of runs that never were stay marked as empty. */
export function buildStrip(marks: readonly RunMark[], text: Text, dates: Dates): StripView {
  const shown = marks.slice(-STRIP_RUNS);
  const empty = Array.from({ length: STRIP_RUNS - shown.length }, (_, index) => bar(index, NONE_HEIGHT, 'b-none', ''));
  const bars = shown.map((mark, index) => {
    const { look, height, state } = barLook(mark);
    const when = dates.when(mark.startedMs ?? mark.queuedMs);
    return bar(empty.length + index, height, look, text.t('strip.bar', { when, state: text.t(`st.${state}`) }));
  });
  return { bars: [...empty, ...bars], label: stripLabel(shown, text) };
}

export function buildCompactStrip(marks: readonly RunMark[], text: Text): CompactStripView {
  const ofText = strips.get(text) ?? new WeakMap<readonly RunMark[], CompactStripView>();
  strips.set(text, ofText);
  const strip = ofText.get(marks) ?? drawCompactStrip(marks, text);
  ofText.set(marks, strip);
  return strip;
}

/** The store gives the same marks until something has run. */
const strips = new WeakMap<Text, WeakMap<readonly RunMark[], CompactStripView>>();

function drawCompactStrip(marks: readonly RunMark[], text: Text): CompactStripView {
  const shown = marks.slice(-STRIP_RUNS);
  const paths = new Map<string, string>();
  const ends = new Map<string, number>();
  const add = (index: number, look: string, height: number): void => {
    const path = paths.get(look) ?? '';
    const x = (STRIP_RUNS - shown.length + index) * DASH_STEP;
    // A neighbour of the same look only makes the line longer.
    const longer = ends.get(look) === x ? path.replace(/\d+$/, (length) => String(Number(length) + DASH_STEP)) : '';
    paths.set(look, longer || `${path}M${x} ${STRIP_HEIGHT - height / 2}h${DASH_STEP}`);
    ends.set(look, x + DASH_STEP);
  };
  for (const [index, mark] of shown.entries()) {
    const { look, height } = barLook(mark);
    // Most runs go well: one line of them, that higher bars cover, is the shortest way to say so.
    if (height >= OK_HEIGHT) add(index, OK_LOOK, OK_HEIGHT);
    if (look !== OK_LOOK) add(index, look, height);
  }
  return { paths: [...paths].map(([look, d]) => ({ look, d })), label: stripLabel(shown, text) };
}

function barLook(mark: RunMark): { look: string; height: number; state: TaskState } {
  const state = outcomeState(mark.outcome);
  const look = state === 'held' ? 'b-held' : `b-${STATE_LOOKS[state].tone}`;
  return { look, height: HEIGHTS[state] ?? OTHER_HEIGHT, state };
}

function bar(index: number, height: number, look: string, title: string): BarView {
  return { x: index * BAR_STEP, y: STRIP_HEIGHT - height, height, look, title };
}

function stripLabel(marks: readonly RunMark[], text: Text): string {
  if (marks.length === 0) return text.t('strip.none');
  const count = (...outcomes: string[]): number => marks.filter((mark) => outcomes.includes(mark.outcome)).length;
  return text.t('strip.label', {
    count: marks.length,
    ok: count('complete'),
    partial: count('incomplete'),
    failed: count('failed', 'held'),
  });
}

/** Square-root scale: one first backup does not flatten all others. */
export function buildDataChart(marks: readonly RunMark[], text: Text, dates: Dates): DataChartView | undefined {
  const shown = marks.slice(-STRIP_RUNS).filter((mark) => mark.endedMs !== undefined);
  const first = shown[0];
  if (first === undefined) return undefined;
  const bytesMax = Math.max(1, ...shown.map((mark) => mark.bytes ?? 0));
  const step = DATA_WIDTH / STRIP_RUNS;
  const bars = shown.map((mark, index) => {
    const height = Math.max(1.5, Math.sqrt((mark.bytes ?? 0) / bytesMax) * DATA_HEIGHT);
    return {
      x: ((STRIP_RUNS - shown.length + index) * step + 1).toFixed(1),
      y: (DATA_HEIGHT - height).toFixed(1),
      width: (step - 2).toFixed(1),
      height: height.toFixed(1),
    };
  });
  const label = text.t('chart.data', { count: shown.length, max: text.bytes(bytesMax) });
  return { bars, label, from: dates.day(first.queuedMs) };
}

export interface ThroughputView {
  readonly area: string;
  readonly line: string;
  readonly label: string;
  readonly peak: string;
  readonly scale: readonly string[];
  readonly times: readonly string[];
}

const CHART_WIDTH = 600;
const CHART_HEIGHT = 78;
/** A chart of one moment says nothing. */
const POINTS_MIN = 3;

/** `points`: bytes per second, evenly spaced by `stepMs`, the last one at `endMs`; `pointsMax` of them fill the width. */
export function buildThroughput(
  points: readonly number[],
  scale: { readonly pointsMax: number; readonly stepMs: number; readonly endMs: number },
  text: Text,
  dates: Dates,
): ThroughputView | undefined {
  if (points.length < POINTS_MIN) return undefined;
  const peak = Math.max(...points);
  const top = roundedTop(peak);
  const x = (index: number): number =>
    CHART_WIDTH - ((points.length - 1 - index) * CHART_WIDTH) / (scale.pointsMax - 1);
  const at = points.map((point, index) => `${x(index).toFixed(1)} ${(CHART_HEIGHT * (1 - point / top)).toFixed(1)}`);
  const line = `M${at.join('L')}`;
  const startMs = scale.endMs - (scale.pointsMax - 1) * scale.stepMs;
  return {
    line,
    area: `${line}L${CHART_WIDTH} ${CHART_HEIGHT}L${x(0).toFixed(1)} ${CHART_HEIGHT}Z`,
    label: text.t('chart.throughput', {
      now: text.bytesPerSecond(points.at(-1) ?? 0),
      peak: text.bytesPerSecond(peak),
    }),
    peak: text.t('pr.peak', { speed: text.bytesPerSecond(peak) }),
    scale: [text.bytesPerSecond(top), text.bytesPerSecond(top / 2), '0'],
    times: [startMs, (startMs + scale.endMs) / 2, scale.endMs].map((ms) => dates.clock(ms)),
  };
}

/** The next 1, 2 or 5 of its power of ten, in units of 1024. */
function roundedTop(value: number): number {
  let unit = 1024;
  while (value / unit > 1024) unit *= 1024;
  const inUnit = Math.max(1, value / unit);
  const power = 10 ** Math.floor(Math.log10(inUnit));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= inUnit) ?? 10;
  return step * power * unit;
}
