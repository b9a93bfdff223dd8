import type { RunMark } from '../../state/run-store.ts';
import type { Text } from '../../text.ts';
import type { Dates } from '../dates.ts';
import { STATE_LOOKS, outcomeState } from './task-state.ts';
import type { TaskState } from './task-state.ts';

/** Runs in one strip. */
export const STRIP_RUNS = 30;

const STRIP_HEIGHT = 20;
const BAR_STEP = 6;
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

/** The same as StripView, all bars of one look in one path: fifty of them stand in one page. */
export interface CompactStripView {
  readonly paths: readonly { readonly look: string; readonly d: string }[];
  readonly label: string;
}

export interface DataChartView {
  readonly bars: readonly { readonly x: string; readonly y: string; readonly width: string; readonly height: string }[];
  readonly label: string;
  readonly from: string;
}

/** Height says the same as colour: the strip can be read without seeing colours. */
const HEIGHTS: Readonly<Partial<Record<TaskState, number>>> = {
  ok: 12,
  partial: 16,
  failed: 20,
  held: 20,
  running: 20,
};
const OTHER_HEIGHT = 8;
const NONE_HEIGHT = 3;

/** The last runs of a task, oldest left; places of runs that never were stay marked as empty. */
export function buildStrip(marks: readonly RunMark[], text: Text, dates: Dates): StripView {
  const shown = marks.slice(-STRIP_RUNS);
  const empty = Array.from({ length: STRIP_RUNS - shown.length }, (_, index) => bar(index, NONE_HEIGHT, 'b-none', ''));
  const bars = shown.map((mark, index) => {
    const state = outcomeState(mark.outcome);
    const title = text.t('strip.bar', {
      when: dates.when(mark.startedMs ?? mark.queuedMs),
      state: text.t(`st.${state}`),
    });
    const { tone } = STATE_LOOKS[state];
    return bar(empty.length + index, HEIGHTS[state] ?? OTHER_HEIGHT, `b-${tone}`, title);
  });
  return { bars: [...empty, ...bars], label: stripLabel(shown, text) };
}

export function buildCompactStrip(marks: readonly RunMark[], text: Text): CompactStripView {
  const shown = marks.slice(-STRIP_RUNS);
  const emptyCount = STRIP_RUNS - shown.length;
  const paths = new Map<string, string>();
  for (let index = 0; index < STRIP_RUNS; index++) {
    const mark = shown[index - emptyCount];
    const state = mark === undefined ? undefined : outcomeState(mark.outcome);
    const look = state === undefined ? 'b-none' : `b-${STATE_LOOKS[state].tone}`;
    const height = state === undefined ? NONE_HEIGHT : (HEIGHTS[state] ?? OTHER_HEIGHT);
    paths.set(look, `${paths.get(look) ?? ''}M${index * BAR_STEP} ${STRIP_HEIGHT}v-${height}h4v${height}z`);
  }
  return { paths: [...paths].map(([look, d]) => ({ look, d })), label: stripLabel(shown, text) };
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
