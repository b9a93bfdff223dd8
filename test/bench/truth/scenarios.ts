import { DELETION_SCENARIOS, DISASTER_SCENARIOS, SHIFT_SCENARIOS } from './deletions.ts';
import { LISTING_SCENARIOS } from './listings.ts';
import { MOVE_DISASTER_SCENARIOS, MOVE_SCENARIOS } from './moves.ts';
import { NAME_SCENARIOS } from './names.ts';
import { REAL_SCENARIOS } from './real-servers.ts';
import type { Scenario, ScriptedScenario } from './scenario.ts';
import { SESSION_SCENARIOS } from './sessions.ts';
import { TARGET_SCENARIOS } from './targets.ts';
import { TIME_SCENARIOS } from './times.ts';
import { TRANSFER_SCENARIOS } from './transfers.ts';

/** The scenarios on the scripted server, by chapters. Names are unique: a test checks. */
export const SCRIPTED_CHAPTERS: readonly (readonly [title: string, scenarios: readonly ScriptedScenario[]])[] = [
  ['Listings', LISTING_SCENARIOS],
  ['Transfers', TRANSFER_SCENARIOS],
  ['Connections', SESSION_SCENARIOS],
  ['Names and places', NAME_SCENARIOS],
  ['Times', [...TIME_SCENARIOS, ...SHIFT_SCENARIOS]],
  ['The target', TARGET_SCENARIOS],
  ['Deletions', [...DELETION_SCENARIOS, ...MOVE_SCENARIOS]],
  ['Disasters', [...DISASTER_SCENARIOS, ...MOVE_DISASTER_SCENARIOS]],
];

/** All of them. */
export const CHAPTERS: readonly (readonly [title: string, scenarios: readonly Scenario[]])[] = [
  ...SCRIPTED_CHAPTERS,
  ['Real servers', REAL_SCENARIOS],
];
