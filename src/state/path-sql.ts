/** SQL of `pathIn` (see paths.ts): the path of the name `name` in the folder whose path is `folder`. Both are SQL. */
export function pathSql(folder: string, name: string): string {
  return `CASE WHEN ${folder} IN ('', '/') THEN ${folder} ELSE ${folder} || '/' END || ${name}`;
}

/** The steps of a plan as `step`, each with the folder of the run in which it stands as `place`. */
export const STEPS = `run_step AS step JOIN run_folder AS place ON place.id = step.run_folder_id`;

/** The path that such a step is about. */
export const STEP_PATH = pathSql('place.path', 'step.name');

/** Whether `folder` is of the subtree `tree.top`, by the order of paths; see `SUBTREE` in subtree-index.ts. */
export const IN_TREE = `folder.path >= tree.top AND folder.path < tree.top || '0'
  AND (folder.path = tree.top OR folder.path >= tree.top || '/')`;
